# Fargate alone. Container Insights counts the running tasks, which the scaling of the
# workers divides by.

resource "aws_ecs_cluster" "this" {
  name = var.name
  tags = merge(var.tags, { Name = var.name })

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }
}
