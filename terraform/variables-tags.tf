# Tags. default_tags of the provider puts Project, Environment and tags on everything;
# the original's maps add to them, or override them, one kind of resource each.

variable "tags" {
  description = "Further tags of everything."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "alb_tags" {
  description = "Tags of the load balancer."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.alb_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "ecs_tags" {
  description = "Tags of cluster, services and tasks."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.ecs_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "storage_s3_tags" {
  description = "Tags of the bucket of songs."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.storage_s3_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "dynamodb_table_operations_tags" {
  description = "Tags of the table of operations."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.dynamodb_table_operations_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "dynamodb_table_songs_tag" {
  description = "Tags of the table of songs."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.dynamodb_table_songs_tag) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "sqs_queue_tag" {
  description = "Tags of the queues."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.sqs_queue_tag) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "ecr_tags" {
  description = "Tags of the repositories of images."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.ecr_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "networking_tags" {
  description = "Tags of VPC, subnets and gateways."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.networking_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "cloudwatch_tags" {
  description = "Tags of logs and alarms."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.cloudwatch_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "iam_tags" {
  description = "Tags of roles."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.iam_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "security_group_tags" {
  description = "Tags of security groups."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.security_group_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}

variable "sm_tags" {
  description = "Tags of secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.sm_tags) : !startswith(lower(name), "aws:")])
    error_message = "Names of tags do not begin with aws:, which is AWS's own."
  }
}
