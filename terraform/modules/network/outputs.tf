output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer."
  value       = aws_subnet.public[*].id
}

output "load_balancer_cidrs" {
  description = "Address ranges of the public and of the private subnets: a load balancer speaks from one or the other."
  value       = { public = aws_subnet.public[*].cidr_block, private = aws_subnet.private[*].cidr_block }
}

output "private_subnet_ids" {
  description = "Subnets of the tasks."
  value       = aws_subnet.private[*].id
}

output "nat_addresses" {
  description = "The addresses that YouTube sees."
  value       = aws_eip.nat[*].public_ip
}
