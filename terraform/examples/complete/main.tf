# All of it: HTTPS for a name, a key of one's own, a way out in each zone, endpoints for
# what is called often, records of traffic and requests, alarms by mail.

module "butakero" {
  source = "../.."

  aws_region   = "eu-west-1"
  project_name = "butakero"
  environment  = "prod"
  image_tag    = "1.0.0"
  tags         = { Owner = "music" }

  domain_name     = "songs.example.org"
  certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
  allowed_cidrs   = ["203.0.113.0/24", "198.51.100.7/32"]
  alb_access_logs = true

  zones               = 3
  nat                 = "one_per_zone"
  interface_endpoints = ["sqs", "logs", "ecr.api", "ecr.dkr", "secretsmanager"]
  flow_logs           = true

  kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  bucket_versioning = true
  file_urls         = "presigned"

  api_size                = { cpu = 512, memory = 1024 }
  api_min_tasks           = 3
  api_max_tasks           = 12
  worker_size             = { cpu = 2048, memory = 4096 }
  worker_slots            = 8
  worker_backlog_per_task = 32
  worker_min_tasks        = 2
  worker_max_tasks        = 40
  worker_disk_gib         = 40

  log_retention_days = 90
  alarm_email        = "music@example.org"

  settings = {
    BUTAKERO_YOUTUBE_EVERY_SECONDS = "10"
  }
}

output "api_url" {
  description = "Where the API answers."
  value       = module.butakero.api_url
}

output "alb_dns_name" {
  description = "What songs.example.org has to lead to."
  value       = module.butakero.alb_dns_name
}

output "nat_addresses" {
  description = "The addresses that YouTube sees."
  value       = module.butakero.nat_addresses
}
