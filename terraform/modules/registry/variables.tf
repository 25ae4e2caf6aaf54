variable "name" {
  description = "Prefix of the repositories: NAME/api and NAME/worker."
  type        = string
}

variable "keep_images" {
  description = "How many images a repository keeps; more make room."
  type        = number
}

variable "force_delete" {
  description = "Whether terraform destroy deletes the images too."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key of the images; null encrypts with ECR's own (AES-256)."
  type        = string
}

variable "tags" {
  description = "Tags of the repositories."
  type        = map(string)
}
