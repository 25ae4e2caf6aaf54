# Copy it, edit the copy, and give it to terraform with -var-file. Git ignores the copy.
#   cp terraform.example.tfvars prod.tfvars
# Everything else that can be set is in variables-more.tf and autoscaling.tf.

# Basics
aws_region   = "us-east-1"
project_name = "butakero-music-download"
environment  = "prod"

# Service
gin_mode             = "release"
service_max_attempts = 5
service_timeout      = 10 # minutes for one attempt; the original gave 2 to all attempts together
oauth2_enabled       = "true"
container_port       = 8080
secret_name          = "butakero-audio-service-secrets"

# Not here: the key goes into the secret, which Terraform never reads (docs/deploy/aws.md).
youtube_api_key = "TU_API_KEY_AQUI"

# New, and needed: what runs, who may call it, and over what.
image_tag     = "1.0.0"
allowed_cidrs = ["203.0.113.7/32"] # the address of the bot
plain_http    = true               # as the original; better: certificate_arn = "arn:aws:acm:…"

# Tags for each kind of resource; tags = { … } puts some on all.
alb_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
ecs_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
storage_s3_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
dynamodb_table_operations_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
dynamodb_table_songs_tag = {
  Project     = "music-downloader"
  Environment = "production"
}
sqs_queue_tag = {
  Project     = "music-downloader"
  Environment = "production"
}
ecr_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
networking_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
cloudwatch_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
iam_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
security_group_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
sm_tags = {
  Project     = "music-downloader"
  Environment = "production"
}
