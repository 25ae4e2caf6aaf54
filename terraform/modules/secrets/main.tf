# Two empty secrets: their values are set by the AWS command line (docs/deploy/aws.md),
# so that none is ever in the state of Terraform, in a plan or in a variables file.

# Settings as one JSON object: YOUTUBE_API_KEY, BUTAKERO_OPERATOR_TOKEN, …
resource "aws_secretsmanager_secret" "settings" {
  name                    = var.name
  description             = "Settings of Butakero as JSON: YOUTUBE_API_KEY, BUTAKERO_OPERATOR_TOKEN"
  recovery_window_in_days = var.recovery_days
  kms_key_id              = var.kms_key_arn
  tags                    = merge(var.tags, { Name = var.name })
}

# The file that filter_youtube_cookies.sh writes, as it is.
resource "aws_secretsmanager_secret" "cookies" {
  name                    = "${var.name}-cookies"
  description             = "YouTube's cookies, the file yt-cookies.txt"
  recovery_window_in_days = var.recovery_days
  kms_key_id              = var.kms_key_arn
  tags                    = merge(var.tags, { Name = "${var.name}-cookies" })
}
