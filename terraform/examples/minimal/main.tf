# The least that works: for a trial, reached from one address, over plain HTTP, with
# workers that sleep while there is nothing to do, and nothing that refuses to go away.

module "butakero" {
  source = "../.."

  aws_region   = "us-east-1"
  project_name = "butakero-trial"
  environment  = "test"
  image_tag    = "1.0.0"

  allowed_cidrs = ["203.0.113.7/32"]
  plain_http    = true

  api_min_tasks    = 1
  worker_min_tasks = 0
  worker_spot      = true
  youtube_cookies  = false
  metrics_image    = null

  deletion_protection  = false
  destroy_data         = true
  secret_recovery_days = 0
}

output "api_url" {
  description = "Where the API answers."
  value       = module.butakero.api_url
}
