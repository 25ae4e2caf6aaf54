# What the policies have to convict.
resource "aws_sqs_queue" "jobs" {
  name = "x-jobs"
}

resource "aws_vpc_security_group_ingress_rule" "everybody" {
  security_group_id = "sg-1"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# And what they have to leave alone.
resource "aws_sqs_queue" "events" {
  name = "x-events"
}

resource "aws_vpc_security_group_ingress_rule" "one" {
  security_group_id = "sg-1"
  cidr_ipv4         = "203.0.113.7/32"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
