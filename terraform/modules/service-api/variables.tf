variable "name" {
  description = "Prefix of every name; the service is called NAME-api."
  type        = string
}

variable "region" {
  description = "Region, for the logs."
  type        = string
}

variable "cluster_arn" {
  description = "Cluster of the service."
  type        = string
}

variable "cluster_name" {
  description = "Its name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the tasks."
  type        = list(string)
}

variable "image" {
  description = "Image, with tag or digest."
  type        = string
}

variable "repository_arn" {
  description = "Repository of the image; null when it lies elsewhere and needs no rights."
  type        = string
}

variable "cpu" {
  description = "CPU units of a task, 1024 is a core."
  type        = number
}

variable "memory" {
  description = "Memory of a task in MiB; Fargate has pairs."
  type        = number
}

variable "cpu_architecture" {
  description = "ARM64 or X86_64."
  type        = string
}

variable "container_port" {
  description = "Port of health and metrics, and of the API."
  type        = number
}

variable "health_command" {
  description = "Command that tells whether the container is healthy."
  type        = list(string)
}

variable "environment" {
  description = "Settings that are no secrets."
  type        = map(string)
}

variable "jobs_queue_arn" {
  description = "Queue of jobs."
  type        = string
}

variable "events_queue_arn" {
  description = "Queue of completion events."
  type        = string
}

variable "table_arns" {
  description = "The tables of songs and operations."
  type        = list(string)
}

variable "bucket_arn" {
  description = "Bucket of the songs."
  type        = string
}

variable "settings_secret_arn" {
  description = "Secret of settings, read by the program itself."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that queues, tables, songs and secrets are encrypted with; null for those of AWS."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "metrics_image" {
  description = "Image of the collector that hands metrics on to CloudWatch; null for none."
  type        = string
}

variable "min_tasks" {
  description = "Fewest tasks."
  type        = number
}

variable "max_tasks" {
  description = "Most tasks."
  type        = number
}

variable "scale_out_cooldown" {
  description = "Seconds between two steps up."
  type        = number
}

variable "scale_in_cooldown" {
  description = "Seconds between two steps down."
  type        = number
}

variable "ecs_tags" {
  description = "Tags of service, tasks and scaling."
  type        = map(string)
}

variable "iam_tags" {
  description = "Tags of roles."
  type        = map(string)
}

variable "cloudwatch_tags" {
  description = "Tags of logs and alarms."
  type        = map(string)
}

variable "security_group_tags" {
  description = "Tags of security groups."
  type        = map(string)
}

variable "dead_queue_arn" {
  description = "Dead-letter queue, for butakero queue import."
  type        = string
}

variable "load_balancer_security_group_id" {
  description = "Group of the load balancer: the only one that is let in."
  type        = string
}

variable "target_group_arn" {
  description = "Where tasks register."
  type        = string
}

variable "request_label" {
  description = "Load balancer and target group, as the metric of requests per target names them."
  type        = string
}

variable "cpu_target" {
  description = "CPU per cent that scaling aims at."
  type        = number
}

variable "requests_target" {
  description = "Requests per minute and task that scaling aims at."
  type        = number
}

variable "stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL, 120 at most."
  type        = number
}
