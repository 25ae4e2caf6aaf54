# A collector beside the program reads its /metrics and hands on to CloudWatch the few
# that alarms and the dashboard use, as entries of a log (embedded metric format).

locals {
  namespace      = "Butakero"
  metrics_groups = aws_cloudwatch_log_group.metrics[*].arn

  logs = {
    for container in ["worker", "collector", "cookies"] : container => {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = container
      }
    }
  }

  collector_config = {
    receivers = {
      prometheus = {
        config = {
          scrape_configs = [{
            job_name        = "butakero"
            scrape_interval = "30s"
            static_configs  = [{ targets = ["127.0.0.1:${var.container_port}"], labels = { deployment = var.name, service = "worker" } }]
          }]
        }
      }
    }
    processors = {
      batch = {}
    }
    exporters = {
      awsemf = {
        region                  = var.region
        namespace               = local.namespace
        log_group_name          = one(aws_cloudwatch_log_group.metrics[*].name)
        log_stream_name         = "{TaskId}"
        dimension_rollup_option = "NoDimensionRollup"
        metric_declarations     = local.declarations
      }
    }
    service = {
      pipelines = {
        metrics = { receivers = ["prometheus"], processors = ["batch"], exporters = ["awsemf"] }
      }
    }
  }

  collector = [
    for image in compact([var.metrics_image]) : {
      name                   = "collector"
      image                  = image
      essential              = false
      readonlyRootFilesystem = true
      restartPolicy          = { enabled = true }
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      environment            = [{ name = "AOT_CONFIG_CONTENT", value = yamlencode(local.collector_config) }]
      logConfiguration       = local.logs.collector
    }
  ]
}

resource "aws_cloudwatch_log_group" "metrics" {
  count = var.metrics_image == null ? 0 : 1

  name              = "/ecs/${local.service}/metrics"
  retention_in_days = 3 # the metrics made of it live on
  kms_key_id        = var.kms_key_arn
  tags              = var.cloudwatch_tags
}
