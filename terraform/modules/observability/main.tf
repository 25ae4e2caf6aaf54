# Alarms that a person has to answer, and one page that shows why. What to do about
# each is in docs/operations.md and docs/youtube.md.

resource "aws_sns_topic" "alarms" {
  count = var.alarm_email == null ? 0 : 1

  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  namespace = "Butakero"
  actions   = concat(var.alarm_actions, aws_sns_topic.alarms[*].arn)
  fleet     = { deployment = var.name, service = "api" }
  youtube   = { deployment = var.name, service = "worker" }

  # Of services that AWS itself counts.
  aws_alarms = {
    oldest-message = {
      text       = "The oldest message of the queue of jobs has been there for long: no worker takes it, or a song goes on and on."
      namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = var.jobs_queue_name }
      statistic  = "Maximum", period = 60, periods = 5, datapoints = 5, threshold = 3 * var.oldest_job_seconds, missing = "notBreaching"
      comparison = "GreaterThanThreshold"
    }
    dead-letters = {
      text       = "A message stopped every worker that took it: butakero queue import makes it a record."
      namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = var.dead_queue_name }
      statistic  = "Maximum", period = 60, periods = 1, datapoints = 1, threshold = 0, missing = "notBreaching"
      comparison = "GreaterThanThreshold"
    }
    no-api = {
      text       = "No task of the API is healthy."
      namespace  = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = { LoadBalancer = var.load_balancer_suffix, TargetGroup = var.target_group_suffix }
      statistic  = "Maximum", period = 60, periods = 3, datapoints = 3, threshold = 1, missing = "breaching"
      comparison = "LessThanThreshold"
    }
    api-errors = {
      text       = "The API answers with errors of its own."
      namespace  = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = { LoadBalancer = var.load_balancer_suffix, TargetGroup = var.target_group_suffix }
      statistic  = "Sum", period = 60, periods = 5, datapoints = 3, threshold = 10, missing = "notBreaching"
      comparison = "GreaterThanThreshold"
    }
  }

  # Of the program's own metrics.
  own_alarms = {
    oldest-job = {
      text       = "A job has waited for a worker for too long."
      namespace  = local.namespace, metric = "butakero_oldest_pending_seconds", dimensions = local.fleet
      statistic  = "Maximum", period = 60, periods = 5, datapoints = 3, threshold = var.oldest_job_seconds, missing = "missing"
      comparison = "GreaterThanThreshold"
    }
    dead-jobs = {
      text       = "Jobs are dead and need a person: butakero jobs groups --state dead."
      namespace  = local.namespace, metric = "butakero_jobs", dimensions = merge(local.fleet, { state = "dead" })
      statistic  = "Maximum", period = 300, periods = 1, datapoints = 1, threshold = var.dead_jobs, missing = "missing"
      comparison = "GreaterThanThreshold"
    }
    store-away = {
      text       = "The store of records does not answer."
      namespace  = local.namespace, metric = "butakero_store_up", dimensions = local.fleet
      statistic  = "Minimum", period = 60, periods = 3, datapoints = 3, threshold = 1, missing = "missing"
      comparison = "LessThanThreshold"
    }
    circuit-open = {
      text       = "YouTube has kept every extractor out: docs/youtube.md says what helps."
      namespace  = local.namespace, metric = "butakero_youtube_paused", dimensions = local.youtube
      statistic  = "Minimum", period = 60, periods = var.paused_minutes, datapoints = var.paused_minutes, threshold = 0, missing = "missing"
      comparison = "GreaterThanThreshold"
    }
    worker-unfit = {
      text       = "A worker takes no jobs: its disk is full, or ffmpeg is missing."
      namespace  = local.namespace, metric = "butakero_worker_unfit", dimensions = local.youtube
      statistic  = "Maximum", period = 60, periods = 5, datapoints = 5, threshold = 0, missing = "missing"
      comparison = "GreaterThanThreshold"
    }
  }

  cookie_alarms = {
    cookies-old = {
      text       = "The cookies are old and may end soon: export new ones. Their age counts from the start of the youngest task."
      namespace  = local.namespace, metric = "butakero_youtube_cookies_age_seconds", dimensions = local.youtube
      statistic  = "Maximum", period = 300, periods = 1, datapoints = 1, threshold = 86400 * var.cookies_days, missing = "missing"
      comparison = "GreaterThanThreshold"
    }
    cookies-refused = {
      text       = "YouTube does not take the cookies any more: export new ones."
      namespace  = local.namespace, metric = "butakero_youtube_cookies_usable", dimensions = local.youtube
      statistic  = "Maximum", period = 300, periods = 3, datapoints = 3, threshold = 1, missing = "missing"
      comparison = "LessThanThreshold"
    }
  }

  alarms = merge(
    local.aws_alarms,
    { for name, alarm in local.own_alarms : name => alarm if var.with_metrics },
    { for name, alarm in local.cookie_alarms : name => alarm if var.with_metrics && var.cookies },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.datapoints
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  treat_missing_data  = each.value.missing
  alarm_actions       = local.actions
  ok_actions          = local.actions
  tags                = var.tags
}
