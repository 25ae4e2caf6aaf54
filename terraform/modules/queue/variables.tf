variable "name" {
  description = "Prefix of the queues' names."
  type        = string
}

variable "visibility_seconds" {
  description = "How long a message that was received stays hidden: the lease of a job, which workers renew at a third of it."
  type        = number
}

variable "retention_seconds" {
  description = "How long a message that nobody takes is kept."
  type        = number
}

variable "wait_seconds" {
  description = "How long a receive waits for a message (long polling)."
  type        = number
}

variable "max_receives" {
  description = "After so many receives a message goes to the dead-letter queue. Attempts are counted in the records, not here: this catches what stops every worker."
  type        = number
}

variable "dead_retention_seconds" {
  description = "How long the dead-letter queue keeps a message."
  type        = number
}

variable "kms_key_arn" {
  description = "Key of the queues; null encrypts with SQS's own."
  type        = string
}

variable "tags" {
  description = "Tags of the queues."
  type        = map(string)
}
