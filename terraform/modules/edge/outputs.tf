output "dns_name" {
  description = "Name of the load balancer."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Zone of that name, for an alias record."
  value       = aws_lb.this.zone_id
}

output "security_group_id" {
  description = "Its security group."
  value       = aws_security_group.this.id
}

output "target_group_arn" {
  description = "Where the API's tasks register. Known only when a listener uses it, as ECS wants it."
  value       = aws_lb_target_group.api.arn
  depends_on  = [aws_lb_listener.http, aws_lb_listener.https]
}

output "arn_suffix" {
  description = "Of the load balancer, for metrics."
  value       = aws_lb.this.arn_suffix
}

output "target_group_arn_suffix" {
  description = "Of the target group, for metrics."
  value       = aws_lb_target_group.api.arn_suffix
}
