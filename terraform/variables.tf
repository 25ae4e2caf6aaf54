# The original's variables, under its names. What else can be set is in variables-*.tf,
# what scaling works with in autoscaling.tf.

variable "aws_region" {
  description = "Region, such as us-east-1."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region is a region such as us-east-1."
  }
}

variable "project_name" {
  description = "First part of every name; with environment it has to be yours alone in the world, because names of buckets are made of it."
  type        = string
  default     = "butakero-music-download"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,24}[a-z0-9]$", var.project_name))
    error_message = "project_name has 3 to 26 small letters, digits and hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "environment" {
  description = "Second part of every name: prod, staging …"
  type        = string
  default     = "prod"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,7}$", var.environment))
    error_message = "environment has 2 to 8 small letters and digits and begins with a letter."
  }
}

variable "gin_mode" {
  description = "release, debug or test; debug logs more."
  type        = string
  default     = "release"

  validation {
    condition     = contains(["release", "debug", "test"], var.gin_mode)
    error_message = "gin_mode is release, debug or test."
  }
}

variable "service_max_attempts" {
  description = "Charged attempts before a job is dead."
  type        = number
  default     = 6

  validation {
    condition     = var.service_max_attempts >= 1 && floor(var.service_max_attempts) == var.service_max_attempts
    error_message = "service_max_attempts is a whole number of at least 1."
  }
}

variable "service_timeout" {
  description = "Limit of one attempt, in minutes."
  type        = number
  default     = 10

  validation {
    condition     = var.service_timeout > 0 && var.service_timeout < 720
    error_message = "service_timeout is a number of minutes above 0 and below 720: no queue can hold a message for longer than 12 hours."
  }
}

# Its check is a precondition of the output secret_names: a validation here would print
# the key that it refuses.
variable "youtube_api_key" {
  description = "Leave it empty: a key that is written here would lie in the state in plain text. Put it into the secret (docs/deploy/aws.md)."
  type        = string
  default     = ""
  sensitive   = true
}

variable "oauth2_enabled" {
  description = "Accepted for the original's sake; it never had an effect."
  type        = string
  default     = "false"

  validation {
    condition     = contains(["true", "false"], var.oauth2_enabled)
    error_message = "oauth2_enabled is true or false."
  }
}

variable "container_port" {
  description = "Port that the containers listen on."
  type        = number
  default     = 8080

  validation {
    condition     = var.container_port >= 1024 && var.container_port <= 65535 && floor(var.container_port) == var.container_port
    error_message = "container_port is 1024 to 65535: the programs are not root."
  }
}

variable "secret_name" {
  description = "Name of the secret of settings; the cookies' is called SECRET_NAME-cookies."
  type        = string
  default     = "butakero-audio-service-secrets"

  validation {
    condition     = can(regex("^[A-Za-z0-9/_+=.@-]{1,200}$", var.secret_name)) && !can(regex("-[A-Za-z0-9]{6}$", var.secret_name))
    error_message = "secret_name has letters, digits and /_+=.@-, and does not end with a hyphen and six letters, which AWS appends by itself."
  }
}
