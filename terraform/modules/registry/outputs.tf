output "repositories" {
  description = "Of api and worker: url and arn."
  value       = { for name, r in aws_ecr_repository.this : name => { url = r.repository_url, arn = r.arn } }
}
