variable "bucket" {
  description = "Name of the bucket of the songs."
  type        = string
}

variable "versioning" {
  description = "Whether the bucket keeps what was overwritten or deleted. Songs are written once and can be made again."
  type        = bool
}

variable "force_destroy" {
  description = "Whether terraform destroy deletes the songs too."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key of the songs; null encrypts with S3's own (AES-256)."
  type        = string
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
}
