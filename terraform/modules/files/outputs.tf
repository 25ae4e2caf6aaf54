output "bucket" {
  description = "The bucket of the songs: name and arn."
  value       = { name = aws_s3_bucket.songs.bucket, arn = aws_s3_bucket.songs.arn }
}
