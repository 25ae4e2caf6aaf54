variable "name" {
  description = "Name of the load balancer."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the load balancer, in two zones or more."
  type        = list(string)
}

variable "internal" {
  description = "Whether it has private addresses alone."
  type        = bool
}

variable "allowed_cidrs" {
  description = "Who may call the API; nobody when empty."
  type        = list(string)
}

variable "certificate_arn" {
  description = "Certificate (ACM) of HTTPS."
  type        = string
}

variable "tls_policy" {
  description = "Protocols and ciphers of HTTPS."
  type        = string
}

variable "plain_http" {
  description = "Whether port 80 serves without TLS instead of redirecting."
  type        = bool
}

variable "container_port" {
  description = "Port of the API's tasks."
  type        = number
}

variable "idle_timeout_seconds" {
  description = "How long a connection may be silent; streams of events say something every 15 s."
  type        = number
}

variable "access_logs" {
  description = "Whether requests are recorded in a bucket."
  type        = bool
}

variable "access_logs_bucket" {
  description = "Name of that bucket."
  type        = string
}

variable "access_logs_days" {
  description = "How long they are kept."
  type        = number
}

variable "force_destroy" {
  description = "Whether terraform destroy deletes the access logs too."
  type        = bool
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool
}

variable "tags" {
  description = "Tags of the load balancer."
  type        = map(string)
}

variable "security_group_tags" {
  description = "Tags of security groups."
  type        = map(string)
}
