# The workers: nothing reaches them, they reach the queue, the records, the files and
# YouTube. A worker that has a song protects its task from being scaled in.

locals {
  service = "${var.name}-worker"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${local.service}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.cloudwatch_tags
}

resource "aws_security_group" "this" {
  name        = local.service
  description = "Worker tasks of Butakero: nothing in, HTTPS out"
  vpc_id      = var.vpc_id
  tags        = merge(var.security_group_tags, { Name = local.service })
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS: AWS and YouTube"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.security_group_tags
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.service
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode(concat(local.cookies, [local.worker], local.collector))
  tags                     = var.ecs_tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  dynamic "ephemeral_storage" {
    for_each = var.ephemeral_storage_gib == null ? [] : [var.ephemeral_storage_gib]

    content {
      size_in_gib = ephemeral_storage.value
    }
  }

  # The one folder that can be written. The image owns it (VOLUME /data), and Fargate
  # gives an empty volume the owner that the image says.
  volume {
    name = "data"
  }
}

locals {
  data = [{ sourceVolume = "data", containerPath = "/data", readOnly = false }]

  worker = {
    name                   = "worker"
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = var.stop_timeout
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    portMappings           = [{ containerPort = var.container_port, protocol = "tcp" }]
    mountPoints            = local.data
    environment            = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    healthCheck            = { command = var.health_command, interval = 30, timeout = 5, retries = 3, startPeriod = 60 }
    dependsOn              = [for c in local.cookies : { containerName = c.name, condition = "SUCCESS" }]
    logConfiguration       = local.logs.worker
  }

  environment = merge(var.environment, var.cookies_secret_arn == null ? {} : { COOKIES_YOUTUBE = var.cookies_path })

  # Cookies come as a file: this container writes it before the worker starts, and ends.
  # ECS hands it the secret; it is in no command line and in no log.
  cookies = [
    for arn in compact([var.cookies_secret_arn]) : {
      name                   = "cookies"
      image                  = var.image
      essential              = false
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      entryPoint             = ["/bin/sh", "-c"]
      command                = ["umask 077 && printf '%s\\n' \"$YT_COOKIES\" > '${var.cookies_path}'"]
      mountPoints            = local.data
      secrets                = [{ name = "YT_COOKIES", valueFrom = arn }]
      logConfiguration       = local.logs.cookies
    }
  ]
}

resource "aws_ecs_service" "this" {
  name                               = local.service
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = var.min_tasks
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  tags                               = var.ecs_tags

  capacity_provider_strategy {
    capacity_provider = var.spot ? "FARGATE_SPOT" : "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution]

  lifecycle {
    ignore_changes = [desired_count] # scaling's
  }
}
