output "songs" {
  description = "The table of songs: name and arn."
  value       = { name = aws_dynamodb_table.songs.name, arn = aws_dynamodb_table.songs.arn }
}

output "operations" {
  description = "The table of operations: name and arn."
  value       = { name = aws_dynamodb_table.operations.name, arn = aws_dynamodb_table.operations.arn }
}
