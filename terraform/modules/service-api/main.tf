# The API: thin tasks behind the load balancer, scaled on CPU and on requests.

locals {
  service = "${var.name}-api"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${local.service}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.cloudwatch_tags
}

resource "aws_security_group" "this" {
  name        = local.service
  description = "API tasks of Butakero"
  vpc_id      = var.vpc_id
  tags        = merge(var.security_group_tags, { Name = local.service })
}

resource "aws_vpc_security_group_ingress_rule" "from_load_balancer" {
  security_group_id            = aws_security_group.this.id
  description                  = "From the load balancer"
  referenced_security_group_id = var.load_balancer_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.container_port
  to_port                      = var.container_port
  tags                         = var.security_group_tags
}

resource "aws_vpc_security_group_egress_rule" "to_tasks" {
  security_group_id            = var.load_balancer_security_group_id
  description                  = "To the API tasks"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.container_port
  to_port                      = var.container_port
  tags                         = var.security_group_tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS: AWS and the YouTube Data API"
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
  tags                     = var.ecs_tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  # The one folder that can be written. The image owns it (VOLUME /data), and Fargate
  # gives an empty volume the owner that the image says.
  volume {
    name = "data"
  }

  container_definitions = jsonencode(concat([
    {
      name                   = "api"
      image                  = var.image
      essential              = true
      readonlyRootFilesystem = true
      stopTimeout            = var.stop_timeout
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      portMappings           = [{ containerPort = var.container_port, protocol = "tcp" }]
      mountPoints            = [{ sourceVolume = "data", containerPath = "/data", readOnly = false }]
      environment            = [for name in sort(keys(var.environment)) : { name = name, value = var.environment[name] }]
      healthCheck            = { command = var.health_command, interval = 30, timeout = 5, retries = 3, startPeriod = 60 }
      logConfiguration       = local.logs.api
    },
  ], local.collector))
}

resource "aws_ecs_service" "this" {
  name                               = local.service
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = var.min_tasks
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 90
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  tags                               = var.ecs_tags

  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = "api"
    container_port   = var.container_port
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
