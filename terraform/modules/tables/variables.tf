variable "songs_name" {
  description = "Name of the table of songs (jobs)."
  type        = string
}

variable "operations_name" {
  description = "Name of the table of operations."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key of the tables; null encrypts with DynamoDB's own."
  type        = string
}

variable "songs_tags" {
  description = "Tags of the table of songs."
  type        = map(string)
}

variable "operations_tags" {
  description = "Tags of the table of operations."
  type        = map(string)
}
