# What may be set, and what is refused with a message.
# terraform test -var functions_dir=<folder of the zips>

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["xx-one-1a", "xx-one-1b", "xx-one-1c"] }
  }
  mock_data "aws_vpc_endpoint_service" {
    defaults = { availability_zones = ["xx-one-1a", "xx-one-1b", "xx-one-1c"] }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_region" {
    defaults = { region = "xx-one-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws-xx" }
  }
}

variables {
  image = "registry.example/fanfold@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

run "the_least_that_must_be_said" {
  command = plan

  assert {
    condition     = output.bucket == "fanfold-111122223333-xx-one-1"
    error_message = "The bucket isn't named by account and region."
  }

  assert {
    condition     = output.log_groups.chunker == "/aws/lambda/fanfold-chunker"
    error_message = "The log groups aren't told by function."
  }

  assert {
    condition     = module.network.assign_public_ip
    error_message = "The default network isn't public, and has a price at rest."
  }

  assert {
    condition     = output.at_rest.usd_per_month < 1
    error_message = "The default costs more than a dollar a month while nothing runs."
  }
}

run "a_private_network_has_a_price_at_rest" {
  command = plan

  variables { network = "private" }

  # Three endpoints in two zones, at a cent an hour.
  assert {
    condition     = [for item in output.at_rest.items : item.usd_per_month if startswith(item.what, "interface endpoints")] == [43.8]
    error_message = "The endpoints' price isn't told."
  }

  assert {
    condition     = output.at_rest.usd_per_month == sum(output.at_rest.items[*].usd_per_month)
    error_message = "The sum isn't the items'."
  }
}

run "every_option" {
  command = plan

  variables {
    name              = "genomes-2"
    architecture      = "arm64"
    bucket_name       = "a-bucket-of-my-own"
    source_buckets    = [{ bucket = "public.genomes", prefix = "refseq/2025/" }, { bucket = "lab", kms_key_arn = "arn:aws:kms:xx-one-1:111122223333:key/1" }]
    kms_key_arn       = "arn:aws:kms:xx-one-1:111122223333:key/2"
    versioning        = true
    chunk_expiry_days = 2
    network           = "private"
    vpc_cidr          = "10.0.0.0/24"
    spot              = true
    max_vcpus         = 4
    prices            = { vcpu_hour = 0.03, gb_hour = 0.003 }
    api_logs          = true
    alarm_topic_arn   = "arn:aws:sns:xx-one-1:111122223333:alarms"
    delete_data       = true
  }

  assert {
    condition     = output.bucket == "a-bucket-of-my-own"
    error_message = "The bucket's name isn't the one given."
  }

  assert {
    condition     = !module.network.assign_public_ip
    error_message = "Containers of the private network have addresses."
  }
}

run "ones_own_network" {
  command = plan

  variables {
    network            = "own"
    subnet_ids         = ["subnet-1", "subnet-2"]
    security_group_ids = ["sg-1"]
  }

  assert {
    condition     = module.network.subnet_ids == tolist(["subnet-1", "subnet-2"]) && module.network.security_group_ids == tolist(["sg-1"])
    error_message = "The containers aren't where they were put."
  }
}

run "refused_name" {
  command = plan
  variables { name = "Fanfold" }
  expect_failures = [var.name]
}

run "refused_image_by_tag" {
  command = plan
  variables { image = "registry.example/fanfold:latest" }
  expect_failures = [var.image]
}

run "refused_architecture" {
  command = plan
  variables { architecture = "amd64" }
  expect_failures = [var.architecture]
}

run "refused_bucket_name" {
  command = plan
  variables { bucket_name = "s3://bucket" }
  expect_failures = [var.bucket_name]
}

run "refused_source_prefix_without_its_slash" {
  command = plan
  variables { source_buckets = [{ bucket = "genomes", prefix = "refseq" }] }
  expect_failures = [var.source_buckets]
}

run "refused_source_prefix_with_a_wildcard" {
  command = plan
  variables { source_buckets = [{ bucket = "genomes", prefix = "*/" }] }
  expect_failures = [var.source_buckets]
}

run "refused_alias_of_a_key" {
  command = plan
  variables { kms_key_arn = "arn:aws:kms:xx-one-1:111122223333:alias/mine" }
  expect_failures = [var.kms_key_arn]
}

run "refused_expiry_within_a_job" {
  command = plan
  variables { chunk_expiry_days = 1 }
  expect_failures = [var.chunk_expiry_days]
}

run "refused_network" {
  command = plan
  variables { network = "shared" }
  expect_failures = [var.network]
}

run "refused_own_network_without_its_parts" {
  command = plan
  variables { network = "own" }
  expect_failures = [var.subnet_ids, var.security_group_ids]
}

run "refused_subnets_of_a_created_network" {
  command = plan
  variables { subnet_ids = ["subnet-1"] }
  expect_failures = [var.subnet_ids]
}

run "refused_addresses" {
  command = plan
  variables { vpc_cidr = "10.0.0.0/28" }
  expect_failures = [var.vpc_cidr]
}

run "refused_capacity_below_the_fold" {
  command = plan
  variables { max_vcpus = 2 }
  expect_failures = [var.max_vcpus]
}

run "refused_concurrency" {
  command = plan
  variables { account_concurrency = 0 }
  expect_failures = [var.account_concurrency]
}

run "refused_limits" {
  command = plan
  variables {
    max_usd_per_job     = 0
    max_open_jobs       = 0
    max_text_bytes      = 0
    inflated_here_bytes = -1
    folded_here_bytes   = 0.5
    api_rate            = 0
    api_burst           = 1.5
  }
  expect_failures = [
    var.max_usd_per_job, var.max_open_jobs, var.max_text_bytes, var.inflated_here_bytes,
    var.folded_here_bytes, var.api_rate, var.api_burst,
  ]
}

run "refused_retention" {
  command = plan
  variables { log_retention_days = 31 }
  expect_failures = [var.log_retention_days]
}

run "refused_topic" {
  command = plan
  variables { alarm_topic_arn = "alarms" }
  expect_failures = [var.alarm_topic_arn]
}
