output "jobs" {
  description = "The queue of jobs: name, url, arn."
  value       = { name = aws_sqs_queue.jobs.name, url = aws_sqs_queue.jobs.url, arn = aws_sqs_queue.jobs.arn }
}

output "dead" {
  description = "The dead-letter queue: name, url, arn."
  value       = { name = aws_sqs_queue.dead.name, url = aws_sqs_queue.dead.url, arn = aws_sqs_queue.dead.arn }
}

output "events" {
  description = "The queue of completion events: name, url, arn."
  value       = { name = aws_sqs_queue.events.name, url = aws_sqs_queue.events.url, arn = aws_sqs_queue.events.arn }
}
