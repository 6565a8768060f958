# Where containers run. They open connections to S3, ECR and CloudWatch Logs; none comes in.

locals {
  created = var.mode != "own"
  private = var.mode == "private"
  public  = var.mode == "public"
  tags    = { Name = var.name }

  # What containers need in a private network besides S3.
  interfaces = local.private ? ["ecr.api", "ecr.dkr", "logs"] : []

  # Two zones: capacity in the second when the first has none. Each must have the endpoints, and that
  # of ECS, which starts the containers, whether it is used or not. GovCloud tells no service's zones.
  usable = local.created ? [
    for zone in data.aws_availability_zones.available[0].names : zone if alltrue([
      for service in data.aws_vpc_endpoint_service.this :
      try(length(service.availability_zones) == 0 || contains(service.availability_zones, zone), true)
    ])
  ] : []
  zones = slice(local.usable, 0, min(2, length(local.usable)))

  # By the zone's letter, so that a zone that comes or goes leaves the other's subnet alone.
  subnets = {
    for zone in local.zones :
    zone => cidrsubnet(var.vpc_cidr, 3, index(split("", "abcdefgh"), substr(zone, -1, 1)))
  }
}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:two are taken, however many there are; naming them would bind the configuration to a region
  count = local.created ? 1 : 0
  state = "available"

  # Without Fargate (Amazon ECS developer guide, "Supported Regions for Amazon ECS on AWS Fargate").
  exclude_zone_ids = ["apne1-az3", "cnn1-az3", "usw1-az2"]

  # Local zones have no Fargate.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_vpc_endpoint_service" "this" {
  for_each     = toset(local.created ? concat(["ecs"], local.interfaces) : [])
  service_name = "com.amazonaws.${var.region}.${each.key}"
  service_type = "Interface"
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:nothing comes in, and what goes out is S3, ECR and logs; a flow log of genomes would cost more than the runs
  count                = local.created ? 1 : 0
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = local.tags

  lifecycle {
    precondition {
      condition     = length(local.zones) > 0
      error_message = "No zone of ${var.region} has Fargate and the endpoints of network = \"${var.mode}\": choose another network or region."
    }
  }
}

# The group that AWS makes with the network admits all within it; no rules here takes them away.
resource "aws_default_security_group" "this" {
  count  = local.created ? 1 : 0
  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "this" {
  for_each          = local.subnets
  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "this" {
  count  = local.created ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = local.tags
}

resource "aws_route_table_association" "this" {
  for_each       = aws_subnet.this
  subnet_id      = each.value.id
  route_table_id = aws_route_table.this[0].id
}

resource "aws_security_group" "containers" {
  #checkov:skip=CKV2_AWS_5:the compute environment uses it, in another module
  count       = local.created ? 1 : 0
  name        = "${var.name}-containers"
  description = "Containers of ${var.name}: HTTPS out, nothing in"
  vpc_id      = aws_vpc.this[0].id
  tags        = { Name = "${var.name}-containers" }
}

# S3 without leaving AWS, and without a price: private and public alike.
resource "aws_vpc_endpoint" "s3" {
  count             = local.created ? 1 : 0
  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.this[0].id]
  tags              = { Name = "${var.name}-s3" }

  # An endpoint's policy bounds what passes; who may do it is the roles' matter.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Results"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:AbortMultipartUpload"]
        Resource = [
          "arn:${var.partition}:s3:::${var.bucket}",
          "arn:${var.partition}:s3:::${var.bucket}/*",
        ]
      },
      {
        Sid       = "Genomes"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:ListBucket"]
        Resource = flatten([for source in var.sources : [
          "arn:${var.partition}:s3:::${source.bucket}",
          "arn:${var.partition}:s3:::${source.bucket}/${source.prefix}*",
        ]])
      },
      {
        Sid       = "LayersOfImages"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = "arn:${var.partition}:s3:::prod-${var.region}-starport-layer-bucket/*"
      },
    ]
  })
}

# --- private -----------------------------------------------------------------------------------

resource "aws_security_group" "endpoints" {
  count       = local.private ? 1 : 0
  name        = "${var.name}-endpoints"
  description = "Endpoints of ${var.name}: HTTPS in from the containers"
  vpc_id      = aws_vpc.this[0].id
  tags        = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count                        = local.private ? 1 : 0
  description                  = "HTTPS from the containers"
  security_group_id            = aws_security_group.endpoints[0].id
  referenced_security_group_id = aws_security_group.containers[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "to_endpoints" {
  count                        = local.private ? 1 : 0
  description                  = "HTTPS to ECR and CloudWatch Logs"
  security_group_id            = aws_security_group.containers[0].id
  referenced_security_group_id = aws_security_group.endpoints[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "to_s3" {
  count             = local.private ? 1 : 0
  description       = "HTTPS to S3"
  security_group_id = aws_security_group.containers[0].id
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(local.interfaces)
  vpc_id              = aws_vpc.this[0].id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.this : subnet.id]
  security_group_ids  = [aws_security_group.endpoints[0].id]
  tags                = { Name = "${var.name}-${each.key}" }
}

# --- public ------------------------------------------------------------------------------------

resource "aws_internet_gateway" "this" {
  count  = local.public ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = local.tags
}

resource "aws_route" "internet" {
  count                  = local.public ? 1 : 0
  route_table_id         = aws_route_table.this[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_vpc_security_group_egress_rule" "to_internet" {
  count             = local.public ? 1 : 0
  description       = "HTTPS to ECR and CloudWatch Logs, whose addresses change"
  security_group_id = aws_security_group.containers[0].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
