locals {
  cell = { width = 8, height = 6 }

  graphs = [
    {
      title = "Jobs: waiting and in hand"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.jobs_queue_name, { stat = "Average" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", var.jobs_queue_name, { stat = "Average" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesDelayed", "QueueName", var.jobs_queue_name, { stat = "Average" }],
      ]
    },
    {
      title = "Tasks"
      metrics = [
        for service in [var.api_service_name, var.worker_service_name] :
        ["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", var.cluster_name, "ServiceName", service, { stat = "Average" }]
      ]
    },
    {
      title = "Seconds: oldest waiting job, and work for all slots"
      metrics = [
        [local.namespace, "butakero_oldest_pending_seconds", "deployment", var.name, "service", "api", { stat = "Maximum" }],
        [local.namespace, "butakero_backlog_seconds", "deployment", var.name, "service", "api", { stat = "Maximum" }],
      ]
    },
    {
      title = "Dead jobs and dead letters"
      metrics = [
        [local.namespace, "butakero_jobs", "deployment", var.name, "service", "api", "state", "dead", { stat = "Maximum" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_queue_name, { stat = "Maximum" }],
      ]
    },
    {
      title = "YouTube: paused, cookies usable"
      metrics = [
        [local.namespace, "butakero_youtube_paused", "deployment", var.name, "service", "worker", { stat = "Maximum" }],
        [local.namespace, "butakero_youtube_cookies_usable", "deployment", var.name, "service", "worker", { stat = "Maximum" }],
      ]
    },
    {
      title = "API: requests and errors"
      metrics = [
        ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.load_balancer_suffix, { stat = "Sum" }],
        ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", var.load_balancer_suffix, { stat = "Sum" }],
      ]
    },
    {
      title = "API: seconds to answer"
      metrics = [
        ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer_suffix, { stat = "p50" }],
        ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer_suffix, { stat = "p95" }],
      ]
    },
    {
      title = "CPU per cent"
      metrics = [
        for service in [var.api_service_name, var.worker_service_name] :
        ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", service, { stat = "Average" }]
      ]
    },
    {
      title = "Tables: write units, throttled requests"
      metrics = concat(
        [for table in values(var.table_names) : ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", table, { stat = "Sum" }]],
        [for table in values(var.table_names) : ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", table, { stat = "Sum" }]],
      )
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for i, graph in local.graphs : {
        type   = "metric"
        width  = local.cell.width
        height = local.cell.height
        x      = i % 3 * local.cell.width
        y      = floor(i / 3) * local.cell.height
        properties = {
          title   = graph.title
          region  = var.region
          view    = "timeSeries"
          period  = 60
          metrics = graph.metrics
        }
      }
    ]
  })
}
