output "settings" {
  description = "The secret of settings: name and arn."
  value       = { name = aws_secretsmanager_secret.settings.name, arn = aws_secretsmanager_secret.settings.arn }
}

output "cookies" {
  description = "The secret of the cookies: name and arn."
  value       = { name = aws_secretsmanager_secret.cookies.name, arn = aws_secretsmanager_secret.cookies.arn }
}
