# Butakero on AWS: two ECS services on Fargate, api and worker, with SQS for jobs,
# DynamoDB for the records and S3 for the songs. docs/deploy/aws.md leads through it.

data "aws_caller_identity" "current" {}

locals {
  name    = "${var.project_name}-${var.environment}"
  lb_name = trimsuffix(substr(local.name, 0, 28), "-") # names of load balancers end at 32
  account = data.aws_caller_identity.current.account_id

  public_url = join("", [var.plain_http ? "http://" : "https://", coalesce(var.domain_name, module.edge.dns_name)])

  # The same for both services. What is secret comes from AWS_SECRET_NAME.
  environment = merge({
    ENVIRONMENT                 = "aws"
    AWS_REGION                  = var.aws_region
    AWS_SECRET_NAME             = module.secrets.settings.name
    BUTAKERO_SQS_JOBS_QUEUE_URL = module.queue.jobs.url
    SQS_QUEUE_URL               = module.queue.events.url
    DYNAMODB_TABLE_SONGS        = module.tables.songs.name
    DYNAMODB_TABLE_OPERATIONS   = module.tables.operations.name
    S3_BUCKET_NAME              = module.files.bucket.name
    BUTAKERO_LISTEN             = "0.0.0.0:${var.container_port}"
    BUTAKERO_WORKER_LISTEN      = "0.0.0.0:${var.container_port}"
    BUTAKERO_DATA_DIR           = "/data"
    BUTAKERO_TEMP_DIR           = "/data"
    TMPDIR                      = "/data"
    BUTAKERO_LOG_FORMAT         = "json"
    BUTAKERO_LEASE_SECONDS      = tostring(var.lease_seconds)
    BUTAKERO_PUBLIC_URL         = local.public_url
    BUTAKERO_FILE_URLS          = var.file_urls
    SERVICE_MAX_ATTEMPTS        = tostring(var.service_max_attempts)
    SERVICE_TIMEOUT             = tostring(var.service_timeout)
    GIN_MODE                    = var.gin_mode
    OAUTH2                      = var.oauth2_enabled
  }, var.settings)
}

module "network" {
  source = "./modules/network"

  name                = local.name
  region              = var.aws_region
  cidr                = var.vpc_cidr
  zones               = var.zones
  nat                 = var.nat
  interface_endpoints = var.interface_endpoints
  flow_logs           = var.flow_logs
  log_retention_days  = var.log_retention_days
  kms_key_arn         = var.kms_key_arn
  tags                = var.networking_tags
  security_group_tags = var.security_group_tags
}

module "queue" {
  source = "./modules/queue"

  name                   = local.name
  visibility_seconds     = var.lease_seconds
  retention_seconds      = var.queue_retention_seconds
  wait_seconds           = var.queue_wait_seconds
  max_receives           = var.queue_max_receives
  dead_retention_seconds = var.dead_letter_retention_seconds
  kms_key_arn            = var.kms_key_arn
  tags                   = var.sqs_queue_tag
}

module "tables" {
  source = "./modules/tables"

  songs_name          = "${local.name}-songs"
  operations_name     = "${local.name}-operations"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  songs_tags          = var.dynamodb_table_songs_tag
  operations_tags     = var.dynamodb_table_operations_tags
}

module "files" {
  source = "./modules/files"

  bucket        = coalesce(var.bucket_name, "${local.name}-songs-${local.account}")
  versioning    = var.bucket_versioning
  force_destroy = var.destroy_data
  kms_key_arn   = var.kms_key_arn
  tags          = var.storage_s3_tags
}

module "secrets" {
  source = "./modules/secrets"

  name          = var.secret_name
  recovery_days = var.secret_recovery_days
  kms_key_arn   = var.kms_key_arn
  tags          = var.sm_tags
}

module "registry" {
  source = "./modules/registry"

  name         = local.name
  keep_images  = var.keep_images
  force_delete = var.destroy_data
  kms_key_arn  = var.kms_key_arn
  tags         = var.ecr_tags
}

module "cluster" {
  source = "./modules/cluster"

  name = local.name
  tags = var.ecs_tags
}

module "edge" {
  source = "./modules/edge"

  name                 = local.lb_name
  vpc_id               = module.network.vpc_id
  subnet_ids           = var.alb_internal ? module.network.private_subnet_ids : module.network.public_subnet_ids
  internal             = var.alb_internal
  allowed_cidrs        = var.allowed_cidrs
  certificate_arn      = var.certificate_arn
  tls_policy           = var.tls_policy
  plain_http           = var.plain_http
  container_port       = var.container_port
  idle_timeout_seconds = 120
  access_logs          = var.alb_access_logs
  access_logs_bucket   = "${local.name}-alb-logs-${local.account}"
  access_logs_days     = 90
  force_destroy        = var.destroy_data
  deletion_protection  = var.deletion_protection
  tags                 = var.alb_tags
  security_group_tags  = var.security_group_tags
}

module "api" {
  source = "./modules/service-api"

  name                            = local.name
  region                          = var.aws_region
  cluster_arn                     = module.cluster.arn
  cluster_name                    = module.cluster.name
  vpc_id                          = module.network.vpc_id
  subnet_ids                      = module.network.private_subnet_ids
  image                           = coalesce(var.api_image, "${module.registry.repositories["api"].url}:${var.image_tag}")
  repository_arn                  = var.api_image == null ? module.registry.repositories["api"].arn : null
  cpu                             = var.api_size.cpu
  memory                          = var.api_size.memory
  cpu_architecture                = var.cpu_architecture
  container_port                  = var.container_port
  health_command                  = ["CMD", "/usr/local/bin/api", "health"]
  environment                     = merge({ BUTAKERO_TRUSTED_PROXIES = join(",", module.network.load_balancer_cidrs[var.alb_internal ? "private" : "public"]) }, local.environment)
  jobs_queue_arn                  = module.queue.jobs.arn
  events_queue_arn                = module.queue.events.arn
  dead_queue_arn                  = module.queue.dead.arn
  table_arns                      = [module.tables.songs.arn, module.tables.operations.arn]
  bucket_arn                      = module.files.bucket.arn
  settings_secret_arn             = module.secrets.settings.arn
  kms_key_arn                     = var.kms_key_arn
  log_retention_days              = var.log_retention_days
  metrics_image                   = var.metrics_image
  load_balancer_security_group_id = module.edge.security_group_id
  target_group_arn                = module.edge.target_group_arn
  request_label                   = "${module.edge.arn_suffix}/${module.edge.target_group_arn_suffix}"
  min_tasks                       = var.api_min_tasks
  max_tasks                       = var.api_max_tasks
  cpu_target                      = var.api_cpu_target
  requests_target                 = var.api_requests_per_task
  scale_out_cooldown              = var.api_scale_out_cooldown
  scale_in_cooldown               = var.api_scale_in_cooldown
  stop_timeout                    = var.api_stop_timeout
  ecs_tags                        = var.ecs_tags
  iam_tags                        = var.iam_tags
  cloudwatch_tags                 = var.cloudwatch_tags
  security_group_tags             = var.security_group_tags
}

module "worker" {
  source = "./modules/service-worker"

  name                  = local.name
  region                = var.aws_region
  cluster_arn           = module.cluster.arn
  cluster_name          = module.cluster.name
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.private_subnet_ids
  image                 = coalesce(var.worker_image, "${module.registry.repositories["worker"].url}:${var.image_tag}")
  repository_arn        = var.worker_image == null ? module.registry.repositories["worker"].arn : null
  cpu                   = var.worker_size.cpu
  memory                = var.worker_size.memory
  ephemeral_storage_gib = var.worker_disk_gib
  cpu_architecture      = var.cpu_architecture
  container_port        = var.container_port
  health_command        = ["CMD", "/usr/local/bin/worker", "health"]
  environment = merge({
    BUTAKERO_WORKER_SLOTS  = tostring(var.worker_slots)
    BUTAKERO_DRAIN_SECONDS = tostring(var.worker_drain_seconds)
  }, local.environment)
  jobs_queue_arn      = module.queue.jobs.arn
  jobs_queue_name     = module.queue.jobs.name
  events_queue_arn    = module.queue.events.arn
  table_arns          = [module.tables.songs.arn, module.tables.operations.arn]
  bucket_arn          = module.files.bucket.arn
  settings_secret_arn = module.secrets.settings.arn
  cookies_secret_arn  = var.youtube_cookies ? module.secrets.cookies.arn : null
  cookies_path        = "/data/yt-cookies.txt"
  kms_key_arn         = var.kms_key_arn
  log_retention_days  = var.log_retention_days
  metrics_image       = var.metrics_image
  spot                = var.worker_spot
  min_tasks           = var.worker_min_tasks
  max_tasks           = var.worker_max_tasks
  backlog_per_task    = var.worker_backlog_per_task
  scale_out_cooldown  = var.worker_scale_out_cooldown
  scale_in_cooldown   = var.worker_scale_in_cooldown
  start_steps         = var.worker_start_steps
  start_cooldown      = var.worker_start_cooldown
  stop_timeout        = var.worker_stop_timeout
  ecs_tags            = var.ecs_tags
  iam_tags            = var.iam_tags
  cloudwatch_tags     = var.cloudwatch_tags
  security_group_tags = var.security_group_tags
}

module "observability" {
  source = "./modules/observability"

  name                 = local.name
  region               = var.aws_region
  alarm_actions        = var.alarm_actions
  alarm_email          = var.alarm_email
  kms_key_arn          = var.kms_key_arn
  jobs_queue_name      = module.queue.jobs.name
  dead_queue_name      = module.queue.dead.name
  table_names          = { songs = module.tables.songs.name, operations = module.tables.operations.name }
  cluster_name         = module.cluster.name
  api_service_name     = module.api.name
  worker_service_name  = module.worker.name
  load_balancer_suffix = module.edge.arn_suffix
  target_group_suffix  = module.edge.target_group_arn_suffix
  with_metrics         = var.metrics_image != null
  cookies              = var.youtube_cookies
  oldest_job_seconds   = var.alarm_oldest_job_seconds
  dead_jobs            = var.alarm_dead_jobs
  paused_minutes       = var.alarm_paused_minutes
  cookies_days         = var.alarm_cookies_days
  tags                 = var.cloudwatch_tags
}
