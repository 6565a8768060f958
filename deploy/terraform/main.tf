# One direction: each module uses what stands above it.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region

  # What a Batch job does for a job, by the verb of its name: the phases, as fanfold.api has them. Who
  # submits it, and whom its success wakes; its failure wakes the aggregator. Sizes are what a job gets
  # that asks for none: the functions choose by the slice.
  phases = {
    inflate = {
      options   = ["--max-text-bytes", tostring(var.max_text_bytes)]
      vcpu      = "2"
      memory_mb = "4096"
      timeout_s = 43200
      submitter = "chunker"
      wakes     = "chunker"
    }
    task = {
      options   = []
      vcpu      = "0.25"
      memory_mb = "512"
      timeout_s = 3600
      submitter = "chunker"
      wakes     = "aggregator"
    }
    fold = {
      options   = ["--quiet"]
      vcpu      = "4"
      memory_mb = "16384"
      timeout_s = 14400
      submitter = "aggregator"
      wakes     = "aggregator"
    }
  }

  # Of us-east-1, on demand, in USD (AWS Fargate and Amazon VPC pricing, 2026).
  on_demand = {
    x86_64 = { vcpu_hour = 0.04048, gb_hour = 0.004445 }
    arm64  = { vcpu_hour = 0.03238, gb_hour = 0.00356 }
  }
  prices = merge(var.prices != null ? var.prices : local.on_demand[var.architecture], {
    address_hour = module.network.assign_public_ip ? 0.005 : 0
    spot_share   = var.spot ? 0.3 : 1
  })

  # What is billed while nothing runs, in USD a month of 730 hours, by list prices of us-east-1 (2026).
  # Ten alarms and a million calls of SQS are free in an account; each of two queues is polled 15 times
  # a minute. The sweep, every ten minutes, lists the bucket and takes half a second of a function.
  at_rest = [
    { what = "interface endpoints (${module.network.interface_endpoints})", usd_per_month = module.network.interface_endpoints * 0.01 * 730 },
    { what = "alarms beyond ten (${max(0, module.observability.alarms - 10)})", usd_per_month = max(0, module.observability.alarms - 10) * 0.10 },
    { what = "polling of two queues", usd_per_month = 0.13 },
    { what = "the sweep", usd_per_month = 0.04 },
    { what = "images in ECR (1 GB)", usd_per_month = 0.10 },
  ]

  # By the names of the functions' settings.
  limits = {
    max_object_bytes    = var.max_object_bytes
    least_slice_bytes   = var.least_slice_bytes
    max_text_bytes      = var.max_text_bytes
    max_usd_per_job     = var.max_usd_per_job
    max_open_jobs       = var.max_open_jobs
    inflated_here_bytes = var.inflated_here_bytes
    folded_here_bytes   = var.folded_here_bytes
  }

  # Each request takes a function for about a third of a second.
  api_rate = coalesce(var.api_rate, min(100, 3 * var.account_concurrency))
}

module "storage" {
  source = "./modules/storage"

  name              = var.name
  partition         = local.partition
  region            = local.region
  bucket_name       = coalesce(var.bucket_name, "${var.name}-${local.account}-${local.region}")
  kms_key_arn       = var.kms_key_arn
  source_buckets    = var.source_buckets
  versioning        = var.versioning
  chunk_expiry_days = var.chunk_expiry_days
  delete_data       = var.delete_data
}

module "network" {
  source = "./modules/network"

  name               = var.name
  partition          = local.partition
  region             = local.region
  mode               = var.network
  vpc_cidr           = var.vpc_cidr
  subnet_ids         = var.subnet_ids
  security_group_ids = var.security_group_ids
  bucket             = module.storage.bucket
  sources            = module.storage.sources
}

module "batch" {
  source = "./modules/batch"

  name               = var.name
  phases             = local.phases
  partition          = local.partition
  account            = local.account
  region             = local.region
  image              = var.image
  architecture       = var.architecture
  repository_arn     = module.storage.repository_arn
  bucket             = module.storage.bucket
  read_genomes       = module.storage.read_genomes
  use_key            = module.storage.use_key
  subnet_ids         = module.network.subnet_ids
  security_group_ids = module.network.security_group_ids
  assign_public_ip   = module.network.assign_public_ip
  spot               = var.spot
  max_vcpus          = var.max_vcpus
  log_retention_days = var.log_retention_days
}

module "queues" {
  source = "./modules/queues"

  name = var.name
}

module "functions" {
  source = "./modules/functions"

  name               = var.name
  partition          = local.partition
  account            = local.account
  region             = local.region
  folder             = var.functions_dir
  architecture       = var.architecture
  image              = var.image
  bucket             = module.storage.bucket
  sources            = module.storage.sources
  read_genomes       = module.storage.read_genomes
  use_key            = module.storage.use_key
  queue_arn          = module.batch.queue_arn
  phases             = local.phases
  definitions        = module.batch.definitions
  batch_log_group    = module.batch.log_group
  limits             = local.limits
  chunks             = module.queues.chunks
  prices             = local.prices
  log_retention_days = var.log_retention_days
}

module "api" {
  source = "./modules/api"

  name               = var.name
  starter            = module.functions.functions["starter"]
  status             = module.functions.functions["status"]
  rate               = local.api_rate
  burst              = coalesce(var.api_burst, floor(2 * local.api_rate))
  logs               = var.api_logs
  log_retention_days = var.log_retention_days
}

module "events" {
  source = "./modules/events"

  name         = var.name
  queue_arn    = module.batch.queue_arn
  phases       = local.phases
  definitions  = module.batch.definitions
  functions    = module.functions.functions
  chunks       = module.queues.chunks
  chunkers     = max(2, min(50, floor(var.account_concurrency / 4)))
  failures     = module.queues.failures
  dead_letters = module.queues.dead_letters
}

module "observability" {
  source = "./modules/observability"

  name               = var.name
  region             = local.region
  functions          = { for name, function in module.functions.functions : name => function.name }
  api                = module.api.name
  stage              = module.api.stage
  dead_letters_queue = module.queues.dead_letters.name
  blocked_rule       = module.events.blocked_rule
  alarm_topic_arn    = var.alarm_topic_arn
}

# Earlier versions had the queues beside the events. A queue that goes as one of its name comes is lost.
moved {
  from = module.events.aws_sqs_queue.failures
  to   = module.queues.aws_sqs_queue.failures
}

moved {
  from = module.events.aws_sqs_queue.dead_letters
  to   = module.queues.aws_sqs_queue.dead_letters
}

moved {
  from = module.events.aws_sqs_queue_redrive_allow_policy.dead_letters
  to   = module.queues.aws_sqs_queue_redrive_allow_policy.dead_letters
}
