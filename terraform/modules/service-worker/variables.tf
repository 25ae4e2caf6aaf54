variable "name" {
  description = "Prefix of every name; the service is called NAME-worker."
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
  description = "Port of health and metrics."
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

variable "cookies_secret_arn" {
  description = "Secret with the file of cookies; null for none."
  type        = string
}

variable "cookies_path" {
  description = "Where the worker finds them."
  type        = string
}

variable "spot" {
  description = "Whether tasks run on Fargate Spot: 70 % cheaper, ended at two minutes' notice."
  type        = bool
}

variable "ephemeral_storage_gib" {
  description = "Disk of a task, 21 to 200; null is Fargate's 20."
  type        = number
}

variable "stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL, 120 at most."
  type        = number
}

variable "jobs_queue_name" {
  description = "Name of the queue of jobs, for its metrics."
  type        = string
}

variable "backlog_per_task" {
  description = "Jobs, waiting or in hand, that one task should have: what scaling aims at."
  type        = number
}

variable "start_steps" {
  description = "With no task running: from so much backlog on, add so many tasks. Ascending; the first is what wakes the service."
  type        = list(object({ backlog = number, add = number }))
}

variable "start_cooldown" {
  description = "Seconds until such a step may be repeated; longer than a task needs to start."
  type        = number
}
