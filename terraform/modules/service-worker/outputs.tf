output "name" {
  description = "Name of the service."
  value       = aws_ecs_service.this.name
}

output "security_group_id" {
  description = "Security group of its tasks."
  value       = aws_security_group.this.id
}

output "log_group" {
  description = "Where its logs go."
  value       = aws_cloudwatch_log_group.this.name
}

output "task_definition_arn" {
  description = "The task definition that runs: note it before an upgrade, it is where a rollback goes."
  value       = aws_ecs_task_definition.this.arn
}

output "task_role_arn" {
  description = "Role of the program."
  value       = aws_iam_role.task.arn
}
