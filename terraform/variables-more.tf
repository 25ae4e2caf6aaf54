# What the original could not set. Every default is sane.

# Images

variable "image_tag" {
  description = "Tag of the images in the repositories that this makes: a version or a commit. Tags can not be moved, so latest is refused."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag is a version or a commit, not latest: what runs has to be told, and rolled back to."
  }
}

variable "api_image" {
  description = "Image of the API from elsewhere; null for image_tag in our repository."
  type        = string
  default     = null
}

variable "worker_image" {
  description = "Image of the worker from elsewhere; null for image_tag in our repository."
  type        = string
  default     = null
}

variable "cpu_architecture" {
  description = "ARM64, as the original, or X86_64; the images have to be made for it."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "cpu_architecture is ARM64 or X86_64."
  }
}

variable "keep_images" {
  description = "How many images a repository keeps."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_images >= 2
    error_message = "keep_images is at least 2: a rollback needs the one before."
  }
}

# Tasks. Fargate knows these pairs of CPU and memory (MiB): 256: 512, 1024, 2048;
# 512: 1024 to 4096; 1024: 2048 to 8192; 2048: 4096 to 16384; 4096: 8192 to 30720, each
# in steps of 1024.

variable "api_size" {
  description = "CPU units and MiB of a task of the API, the collector of its metrics included."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 256, memory = 512 }

  validation {
    condition = anytrue([
      var.api_size.cpu == 256 && contains([512, 1024, 2048], var.api_size.memory),
      var.api_size.cpu == 512 && contains(range(1024, 4097, 1024), var.api_size.memory),
      var.api_size.cpu == 1024 && contains(range(2048, 8193, 1024), var.api_size.memory),
      var.api_size.cpu == 2048 && contains(range(4096, 16385, 1024), var.api_size.memory),
      var.api_size.cpu == 4096 && contains(range(8192, 30721, 1024), var.api_size.memory),
    ])
    error_message = "api_size is a pair that Fargate knows, such as 256 and 512."
  }
}

variable "worker_size" {
  description = "CPU units and MiB of a worker. Copying Opus needs little of both, transcoding most of a core for each slot."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 1024, memory = 2048 }

  validation {
    condition = anytrue([
      var.worker_size.cpu == 256 && contains([512, 1024, 2048], var.worker_size.memory),
      var.worker_size.cpu == 512 && contains(range(1024, 4097, 1024), var.worker_size.memory),
      var.worker_size.cpu == 1024 && contains(range(2048, 8193, 1024), var.worker_size.memory),
      var.worker_size.cpu == 2048 && contains(range(4096, 16385, 1024), var.worker_size.memory),
      var.worker_size.cpu == 4096 && contains(range(8192, 30721, 1024), var.worker_size.memory),
    ])
    error_message = "worker_size is a pair that Fargate knows, such as 1024 and 2048."
  }
}

variable "worker_disk_gib" {
  description = "Disk of a worker, 21 to 200; null is Fargate's 20, which is free."
  type        = number
  default     = null

  validation {
    condition     = var.worker_disk_gib == null ? true : var.worker_disk_gib >= 21 && var.worker_disk_gib <= 200
    error_message = "worker_disk_gib is 21 to 200, or null for Fargate's 20."
  }
}

variable "worker_spot" {
  description = "Workers on Fargate Spot: cheaper, ended at two minutes' notice; what was in hand is taken up by others."
  type        = bool
  default     = false
}

variable "youtube_cookies" {
  description = "Whether workers get the cookies of the secret SECRET_NAME-cookies. YouTube blocks many addresses of AWS without. The secret needs a value before the first worker starts."
  type        = bool
  default     = true
}

variable "settings" {
  description = "Further settings of both services (butakero config check lists them), no secrets: these lie in the state."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for name in keys(var.settings) :
      !contains(["YOUTUBE_API_KEY", "BUTAKERO_OPERATOR_TOKEN", "BUTAKERO_YOUTUBE_PROXY", "MONGO_PASSWORD", "BUTAKERO_MONGO_URI", "BUTAKERO_KAFKA_SASL_PASSWORD"], name)
    ])
    error_message = "settings hold no secrets: put YOUTUBE_API_KEY, BUTAKERO_OPERATOR_TOKEN and BUTAKERO_YOUTUBE_PROXY into the secret."
  }
}

# Queues. The defaults are the program's own.

variable "lease_seconds" {
  description = "How long a claim lasts, and a message stays hidden; workers renew it at a third, so it need not cover a whole song."
  type        = number
  default     = 90

  validation {
    condition     = var.lease_seconds >= 30 && var.lease_seconds <= 43200 && floor(var.lease_seconds) == var.lease_seconds
    error_message = "lease_seconds is 30 to 43200."
  }
}

variable "queue_retention_seconds" {
  description = "How long the queues keep a message: four days."
  type        = number
  default     = 345600

  validation {
    condition     = var.queue_retention_seconds >= 3600 && var.queue_retention_seconds <= 1209600
    error_message = "queue_retention_seconds is an hour to 14 days (1209600)."
  }
}

variable "queue_wait_seconds" {
  description = "How long a receive waits for a message."
  type        = number
  default     = 20

  validation {
    condition     = var.queue_wait_seconds >= 1 && var.queue_wait_seconds <= 20
    error_message = "queue_wait_seconds is 1 to 20."
  }
}

variable "queue_max_receives" {
  description = "After so many receives a message goes to the dead-letter queue. Not the number of attempts, which the records count."
  type        = number
  default     = 20

  validation {
    condition     = var.queue_max_receives >= 10 && var.queue_max_receives <= 1000
    error_message = "queue_max_receives is 10 to 1000: a message is received again whenever a worker stops or may not take its job yet."
  }
}

variable "dead_letter_retention_seconds" {
  description = "How long the dead-letter queue keeps a message: 14 days."
  type        = number
  default     = 1209600

  validation {
    condition     = var.dead_letter_retention_seconds >= 86400 && var.dead_letter_retention_seconds <= 1209600
    error_message = "dead_letter_retention_seconds is a day to 14 days (1209600)."
  }
}

# Records and files

variable "bucket_name" {
  description = "Bucket of the songs; null for PROJECT-ENVIRONMENT-songs-ACCOUNT."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name has 3 to 63 small letters, digits, hyphens and dots."
  }
}

variable "bucket_versioning" {
  description = "Whether the bucket keeps what was overwritten or deleted."
  type        = bool
  default     = false
}

variable "file_urls" {
  description = "What public_url leads to: api (the API serves the songs) or presigned (S3 does, for an hour)."
  type        = string
  default     = "api"

  validation {
    condition     = contains(["api", "presigned"], var.file_urls)
    error_message = "file_urls is api or presigned."
  }
}

variable "deletion_protection" {
  description = "Whether tables and load balancer refuse to be deleted. Set it to false and apply, before terraform destroy."
  type        = bool
  default     = true
}

variable "destroy_data" {
  description = "Whether terraform destroy deletes songs, access logs and images too; otherwise it stops at what is not empty."
  type        = bool
  default     = false
}

variable "secret_recovery_days" {
  description = "How long deleted secrets can be got back, 7 to 30; 0 frees their names at once."
  type        = number
  default     = 7

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days is 0, or 7 to 30."
  }
}

variable "kms_key_arn" {
  description = "Key for queues, tables, songs, images, secrets and logs; null for those of AWS. Its policy has to let CloudWatch Logs use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

# Network and edge

variable "vpc_cidr" {
  description = "Address range of the VPC, /16 to /22."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 22, false)
    error_message = "vpc_cidr is a range such as 10.20.0.0/16, from /16 to /22."
  }
}

variable "zones" {
  description = "Number of availability zones."
  type        = number
  default     = 2

  validation {
    condition     = var.zones >= 2 && var.zones <= 6 && floor(var.zones) == var.zones
    error_message = "zones is 2 to 6."
  }
}

variable "nat" {
  description = "single, one_per_zone (YouTube sees as many addresses), or none, with which neither YouTube nor images are reached."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "one_per_zone", "none"], var.nat)
    error_message = "nat is single, one_per_zone or none."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached within the VPC, besides S3 and DynamoDB: some 15 dollars a month each with two zones, instead of the NAT gateway's price for each GB."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.interface_endpoints : contains(["sqs", "secretsmanager", "logs", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "kms", "monitoring"], name)])
    error_message = "interface_endpoints are of sqs, secretsmanager, logs, ecr.api, ecr.dkr, ecs, ecs-agent, ecs-telemetry, kms, monitoring."
  }
}

variable "flow_logs" {
  description = "Whether traffic that was refused is recorded."
  type        = bool
  default     = false
}

variable "allowed_cidrs" {
  description = "Who may call the API: the address of the bot, 203.0.113.7/32. Nobody when empty. All of the internet is refused: whoever reaches the API may order songs."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.allowed_cidrs : can(cidrhost(range, 0)) && !can(regex("/[0-7]$", range))])
    error_message = "allowed_cidrs are ranges such as 203.0.113.7/32, none larger than a /8."
  }
}

variable "alb_internal" {
  description = "Whether the load balancer has private addresses alone, for a bot in this network or a connected one."
  type        = bool
  default     = false
}

variable "certificate_arn" {
  description = "Certificate (ACM, same region) of HTTPS; needed unless plain_http."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "certificate_arn is the ARN of a certificate: arn:aws:acm:REGION:ACCOUNT:certificate/ID."
  }
}

variable "domain_name" {
  description = "Name that the certificate is for, and that leads to the load balancer; null for the load balancer's own."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null ? true : can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.domain_name))
    error_message = "domain_name is a name such as songs.example.org."
  }
}

variable "plain_http" {
  description = "Serve on port 80 without TLS, as the original did. Only where nobody listens in."
  type        = bool
  default     = false
}

variable "tls_policy" {
  description = "Protocols and ciphers of HTTPS: TLS 1.2 and 1.3."
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  validation {
    condition     = startswith(var.tls_policy, "ELBSecurityPolicy-TLS13-1-2-") || startswith(var.tls_policy, "ELBSecurityPolicy-TLS13-1-3-")
    error_message = "tls_policy is one with TLS 1.2 or later: ELBSecurityPolicy-TLS13-1-2-…"
  }
}

variable "alb_access_logs" {
  description = "Whether the load balancer records requests, in a bucket of their own."
  type        = bool
  default     = false
}

# Observability

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of those that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 …"
  }
}

variable "metrics_image" {
  description = "Collector of the program's metrics beside each task; null for none, and then no alarm on them."
  type        = string
  default     = "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3"
}

variable "alarm_actions" {
  description = "SNS topics that alarms are sent to."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "alarm_actions are ARNs."
  }
}

variable "alarm_email" {
  description = "Address that gets the alarms, once it has confirmed; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "alarm_email is an address."
  }
}

variable "alarm_oldest_job_seconds" {
  description = "Alarm when a job has waited for a worker for so long."
  type        = number
  default     = 300
}

variable "alarm_dead_jobs" {
  description = "Alarm when more jobs than so many are dead."
  type        = number
  default     = 0
}

variable "alarm_paused_minutes" {
  description = "Alarm when YouTube has kept us out for so long."
  type        = number
  default     = 15
}

variable "alarm_cookies_days" {
  description = "Alarm when the cookies are older than that."
  type        = number
  default     = 14
}
