output "api_url" {
  description = "Where the API answers."
  value       = local.public_url
}

output "alb_dns_name" {
  description = "Name of the load balancer: what domain_name has to lead to."
  value       = module.edge.dns_name
}

output "alb_zone_id" {
  description = "Its zone, for an alias record in Route 53."
  value       = module.edge.zone_id
}

output "queue_urls" {
  description = "Of jobs, dead letters and completion events."
  value       = { jobs = module.queue.jobs.url, dead = module.queue.dead.url, events = module.queue.events.url }
}

output "table_names" {
  description = "Of songs and operations."
  value       = { songs = module.tables.songs.name, operations = module.tables.operations.name }
}

output "bucket_name" {
  description = "Of the songs."
  value       = module.files.bucket.name
}

output "repository_urls" {
  description = "Where the images are pushed to."
  value       = { for name, repository in module.registry.repositories : name => repository.url }
}

output "secret_names" {
  description = "Of settings and cookies."
  value       = { settings = module.secrets.settings.name, cookies = module.secrets.cookies.name }

  precondition {
    condition     = contains(["", "TU_API_KEY_AQUI"], var.youtube_api_key)
    error_message = "youtube_api_key is not given to Terraform, which keeps what it knows in its state in plain text. Put it into the secret: aws secretsmanager put-secret-value --secret-id SECRET_NAME --secret-string file://secret.json"
  }
}

output "cluster_name" {
  description = "The ECS cluster."
  value       = module.cluster.name
}

output "service_names" {
  description = "Of api and worker."
  value       = { api = module.api.name, worker = module.worker.name }
}

output "task_definitions" {
  description = "Of api and worker, with their revisions: where a rollback goes."
  value       = { api = module.api.task_definition_arn, worker = module.worker.task_definition_arn }
}

output "log_groups" {
  description = "Of api and worker."
  value       = { api = module.api.log_group, worker = module.worker.log_group }
}

output "nat_addresses" {
  description = "The addresses that YouTube sees."
  value       = module.network.nat_addresses
}

output "dashboard_name" {
  description = "The CloudWatch dashboard."
  value       = module.observability.dashboard_name
}
