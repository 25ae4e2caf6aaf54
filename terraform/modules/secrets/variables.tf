variable "name" {
  description = "Name of the secret of settings, the original's secret_name."
  type        = string
}

variable "recovery_days" {
  description = "How long a deleted secret can be got back, 7 to 30; 0 deletes at once, so that the name is free."
  type        = number
}

variable "kms_key_arn" {
  description = "Key of the secrets; null encrypts with Secrets Manager's own."
  type        = string
}

variable "tags" {
  description = "Tags of the secrets."
  type        = map(string)
}
