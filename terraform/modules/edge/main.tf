# The load balancer of the API. It answers HTTPS; port 80 redirects, or serves plainly
# by choice. Nobody is let in who is not named.

resource "aws_security_group" "this" {
  name        = "${var.name}-alb"
  description = "Who may call the API of Butakero"
  vpc_id      = var.vpc_id
  tags        = merge(var.security_group_tags, { Name = "${var.name}-alb" })
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = toset(var.certificate_arn == null ? [] : var.allowed_cidrs)

  security_group_id = aws_security_group.this.id
  description       = "HTTPS"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.security_group_tags
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  for_each = toset(var.allowed_cidrs)

  security_group_id = aws_security_group.this.id
  description       = var.plain_http ? "HTTP" : "HTTP, redirected to HTTPS"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  tags              = var.security_group_tags
}

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  idle_timeout               = var.idle_timeout_seconds
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  tags                       = merge(var.tags, { Name = var.name })

  access_logs {
    enabled = var.access_logs
    bucket  = var.access_logs ? aws_s3_bucket.logs[0].bucket : ""
  }

  depends_on = [aws_s3_bucket_policy.logs]
}

# Liveness, not readiness: a task whose store is away is not cured by another one.
resource "aws_lb_target_group" "api" {
  name                 = "${var.name}-api"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.container_port
  deregistration_delay = 30
  tags                 = merge(var.tags, { Name = "${var.name}-api" })

  health_check {
    path                = "/healthz"
    matcher             = "200"
    interval            = 30
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  count = var.certificate_arn == null ? 0 : 1

  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = var.tls_policy
  certificate_arn   = var.certificate_arn
  tags              = var.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  tags              = var.tags

  dynamic "default_action" {
    for_each = var.plain_http ? [1] : []

    content {
      type             = "forward"
      target_group_arn = aws_lb_target_group.api.arn
    }
  }

  dynamic "default_action" {
    for_each = var.plain_http ? [] : [1]

    content {
      type = "redirect"

      redirect {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.plain_http || var.certificate_arn != null
      error_message = "Set certificate_arn (a certificate of ACM) for HTTPS, or plain_http = true to serve without TLS by choice."
    }
  }
}

# Metrics are for those within.
resource "aws_lb_listener_rule" "metrics_https" {
  count = var.certificate_arn == null ? 0 : 1

  listener_arn = aws_lb_listener.https[0].arn
  priority     = 1
  tags         = var.tags

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "not found"
      status_code  = "404"
    }
  }

  condition {
    path_pattern {
      values = ["/metrics", "/metrics/*"]
    }
  }
}

resource "aws_lb_listener_rule" "metrics_http" {
  count = var.plain_http ? 1 : 0

  listener_arn = aws_lb_listener.http.arn
  priority     = 1
  tags         = var.tags

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "not found"
      status_code  = "404"
    }
  }

  condition {
    path_pattern {
      values = ["/metrics", "/metrics/*"]
    }
  }
}
