output "id" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.id
}

output "name" {
  description = "Its name."
  value       = aws_ecs_cluster.this.name
}

output "arn" {
  description = "Its ARN."
  value       = aws_ecs_cluster.this.arn
}
