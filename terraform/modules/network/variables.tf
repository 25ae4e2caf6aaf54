variable "region" {
  description = "Region, which is in the names of the endpoints."
  type        = string
}

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC; each subnet gets a sixteenth of it."
  type        = string
}

variable "zones" {
  description = "Number of availability zones, at least two: the load balancer wants as many."
  type        = number
}

variable "nat" {
  description = "single, one_per_zone or none (then nothing but the endpoints is reached)."
  type        = string
}

variable "interface_endpoints" {
  description = "AWS services that get an interface endpoint, such as sqs."
  type        = list(string)
}

variable "flow_logs" {
  description = "Whether refused traffic is recorded."
  type        = bool
}

variable "log_retention_days" {
  description = "How long the flow logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key of the flow logs; null for CloudWatch's own."
  type        = string
}

variable "tags" {
  description = "Tags of the network."
  type        = map(string)
}

variable "security_group_tags" {
  description = "Tags of security groups."
  type        = map(string)
}
