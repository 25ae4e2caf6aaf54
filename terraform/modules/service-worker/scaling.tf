# Workers are scaled on work for each task: what waits and what is in hand, divided by
# the tasks that run. With what waits alone, a burst that was just taken up would look
# like no work at all. What is parked for later is delayed, and counts only when due.

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.this.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
  tags               = var.ecs_tags
}

locals {
  # What both policies look at; one datum a minute each.
  metrics = {
    visible  = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = var.jobs_queue_name } }
    inflight = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesNotVisible", dimensions = { QueueName = var.jobs_queue_name } }
    running = {
      namespace  = "ECS/ContainerInsights"
      name       = "RunningTaskCount"
      dimensions = { ClusterName = var.cluster_name, ServiceName = aws_ecs_service.this.name }
    }
  }

  # No datum of the tasks counts as one task, and so does none running: never a
  # division by zero, which would be no datum and no scaling.
  backlog = "(visible + inflight) / IF(FILL(running, 1) > 1, FILL(running, 1), 1)"

  # With no task: all the work there is; else nothing.
  asleep = "IF(FILL(running, 0) < 1, visible + inflight, 0)"
}

resource "aws_appautoscaling_policy" "backlog" {
  name               = "backlog-per-task"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.backlog_per_task
    scale_out_cooldown = var.scale_out_cooldown
    scale_in_cooldown  = var.scale_in_cooldown

    customized_metric_specification {
      dynamic "metrics" {
        for_each = local.metrics

        content {
          id          = metrics.key
          return_data = false

          metric_stat {
            stat = "Average"

            metric {
              namespace   = metrics.value.namespace
              metric_name = metrics.value.name

              dynamic "dimensions" {
                for_each = metrics.value.dimensions

                content {
                  name  = dimensions.key
                  value = dimensions.value
                }
              }
            }
          }
        }
      }

      metrics {
        id          = "backlog"
        label       = "jobs for each task"
        expression  = local.backlog
        return_data = true
      }
    }
  }
}

# From zero: a task too few makes little backlog for each task, so a target alone would
# let a single song wait for ever.
resource "aws_appautoscaling_policy" "start" {
  name               = "start-from-zero"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Average"
    cooldown                = var.start_cooldown

    dynamic "step_adjustment" {
      for_each = var.start_steps

      content {
        scaling_adjustment          = step_adjustment.value.add
        metric_interval_lower_bound = step_adjustment.value.backlog - var.start_steps[0].backlog
        metric_interval_upper_bound = (
          step_adjustment.key + 1 < length(var.start_steps)
          ? var.start_steps[step_adjustment.key + 1].backlog - var.start_steps[0].backlog
          : null
        )
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "asleep" {
  alarm_name          = "${local.service}-asleep"
  alarm_description   = "There is work and no worker runs: starts some."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.start_steps[0].backlog
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.start.arn]
  tags                = var.cloudwatch_tags

  dynamic "metric_query" {
    for_each = local.metrics

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = "Average"
        period      = 60
      }
    }
  }

  metric_query {
    id          = "asleep"
    label       = "jobs while no task runs"
    expression  = local.asleep
    return_data = true
  }
}
