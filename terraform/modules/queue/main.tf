# The queue of jobs with its dead-letter queue, and the queue of completion events:
# the same as internal/transport/awssqs makes. Standard ones: a FIFO queue delays no
# single message.

locals {
  queues = {
    jobs   = aws_sqs_queue.jobs
    dead   = aws_sqs_queue.dead
    events = aws_sqs_queue.events
  }
}

resource "aws_sqs_queue" "jobs" {
  name                              = "${var.name}-jobs"
  visibility_timeout_seconds        = var.visibility_seconds
  message_retention_seconds         = var.retention_seconds
  receive_wait_time_seconds         = var.wait_seconds
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300
  tags                              = merge(var.tags, { Name = "${var.name}-jobs" })

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = var.max_receives
  })
}

resource "aws_sqs_queue" "dead" {
  name                              = "${var.name}-jobs-dead"
  message_retention_seconds         = var.dead_retention_seconds
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300
  tags                              = merge(var.tags, { Name = "${var.name}-jobs-dead", Role = "dead-letters" })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.jobs.arn]
  })
}

# Events are read by others, at their pace. What they can not read is theirs: a
# redrive policy of this queue belongs to its consumer.
resource "aws_sqs_queue" "events" {
  name                              = "${var.name}-events"
  message_retention_seconds         = var.retention_seconds
  receive_wait_time_seconds         = var.wait_seconds
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300
  tags                              = merge(var.tags, { Name = "${var.name}-events", Role = "events" })
}

data "aws_iam_policy_document" "tls" {
  for_each = local.queues

  statement {
    sid       = "OnlyOverTLS"
    effect    = "Deny"
    actions   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    resources = [each.value.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "tls" {
  for_each = local.queues

  queue_url = each.value.id
  policy    = data.aws_iam_policy_document.tls[each.key].json
}
