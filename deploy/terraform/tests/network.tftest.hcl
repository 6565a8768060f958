# The three networks.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["xx-one-1a", "xx-one-1b", "xx-one-1c", "xx-one-1d"] }
  }
  mock_data "aws_vpc_endpoint_service" {
    defaults = { availability_zones = ["xx-one-1a", "xx-one-1b", "xx-one-1c", "xx-one-1d"] }
  }
}

override_data {
  target = data.aws_vpc_endpoint_service.this["ecs"]
  values = { availability_zones = ["xx-one-1b", "xx-one-1c", "xx-one-1d"] }
}

override_data {
  target = data.aws_vpc_endpoint_service.this["ecr.dkr"]
  values = { availability_zones = ["xx-one-1a", "xx-one-1b", "xx-one-1d"] }
}

variables {
  name               = "fanfold"
  partition          = "aws-xx"
  region             = "xx-one-1"
  vpc_cidr           = "10.42.0.0/16"
  subnet_ids         = []
  security_group_ids = []
  bucket             = "results"
  sources            = [{ bucket = "results", prefix = "input/" }, { bucket = "genomes", prefix = "refseq/" }]
}

run "private_reaches_nothing_but_aws" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    mode = "private"
  }

  assert {
    condition     = sort([for endpoint in aws_vpc_endpoint.interface : endpoint.service_name]) == tolist(["com.amazonaws.xx-one-1.ecr.api", "com.amazonaws.xx-one-1.ecr.dkr", "com.amazonaws.xx-one-1.logs"])
    error_message = "The interface endpoints aren't those of ECR and CloudWatch Logs."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "An endpoint isn't found by its usual name."
  }

  assert {
    condition     = aws_vpc_endpoint.s3[0].vpc_endpoint_type == "Gateway"
    error_message = "S3 has no gateway endpoint."
  }

  assert {
    condition     = strcontains(aws_vpc_endpoint.s3[0].policy, "arn:aws-xx:s3:::prod-xx-one-1-starport-layer-bucket/*")
    error_message = "The endpoint doesn't admit the bucket of ECR's layers: no image could be pulled."
  }

  assert {
    condition     = strcontains(aws_vpc_endpoint.s3[0].policy, "arn:aws-xx:s3:::genomes/refseq/*")
    error_message = "The endpoint doesn't admit a source bucket."
  }

  assert {
    condition     = length(aws_internet_gateway.this) == 0 && length(aws_route.internet) == 0
    error_message = "A private network has a way to the internet."
  }

  assert {
    condition     = sort(keys(aws_subnet.this)) == tolist(["xx-one-1b", "xx-one-1d"])
    error_message = "A zone lacks Fargate or an endpoint."
  }
}

run "public_lets_nothing_in" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    mode = "public"
  }

  assert {
    condition     = aws_route.internet[0].destination_cidr_block == "0.0.0.0/0"
    error_message = "There is no way to the internet."
  }

  assert {
    condition     = sort(keys(aws_subnet.this)) == tolist(["xx-one-1b", "xx-one-1c"])
    error_message = "A zone lacks Fargate, or one is avoided for endpoints that aren't there."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.endpoints) == 0 && output.assign_public_ip
    error_message = "Something comes in, or containers have no address."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_vpc_endpoint.s3) == 1
    error_message = "The endpoints with a price are there, or S3's free one isn't."
  }
}

run "own_creates_nothing" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    mode               = "own"
    subnet_ids         = ["subnet-1"]
    security_group_ids = ["sg-1"]
  }

  assert {
    condition     = length(aws_vpc.this) + length(aws_subnet.this) + length(aws_vpc_endpoint.s3) + length(aws_security_group.containers) == 0
    error_message = "A network was made beside the user's own."
  }

  assert {
    condition     = output.subnet_ids == tolist(["subnet-1"]) && !output.assign_public_ip
    error_message = "The containers aren't in the user's subnets."
  }
}
