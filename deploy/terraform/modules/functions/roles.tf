# What each function may do, and no more.

locals {
  bucket_arn = "arn:${var.partition}:s3:::${var.bucket}"
  function_arns = {
    for function, name in local.names :
    function => "arn:${var.partition}:lambda:${var.region}:${var.account}:function:${name}"
  }

  # Of the bucket: prefixes that a function reads, and what else it does with what is there.
  objects = {
    starter    = { prefixes = ["results", "jobs"], actions = ["s3:GetObject", "s3:PutObject"] }
    status     = { prefixes = ["results", "jobs"], actions = local.change }
    chunker    = { prefixes = ["results", "jobs", "chunks"], actions = local.upload }
    aggregator = { prefixes = ["results", "jobs", "chunks"], actions = local.upload }
    failures   = { prefixes = ["results", "jobs"], actions = local.change }
    sweep      = { prefixes = ["results", "jobs"], actions = local.change }
  }
  change = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
  upload = concat(local.change, ["s3:AbortMultipartUpload"])

  # Whose genomes it reads, whom it invokes, which phases it submits, what it sees of Batch.
  reads_genomes = ["starter", "chunker", "aggregator"]
  invokes = {
    failures = ["aggregator"]
    sweep    = ["aggregator"]
  }
  submits      = { for phase, each in var.phases : each.submitter => phase... }
  watches_jobs = ["chunker", "aggregator", "status", "failures", "sweep"]
  ends_jobs    = ["chunker", "aggregator", "status"]
  reads_logs   = ["aggregator", "status"]

  statements = {
    for function in keys(local.functions) : function => concat(
      [
        {
          Sid      = "Objects"
          Effect   = "Allow"
          Action   = local.objects[function].actions
          Resource = [for prefix in local.objects[function].prefixes : "${local.bucket_arn}/${prefix}/*"]
        },
        {
          Sid       = "ListObjects"
          Effect    = "Allow"
          Action    = "s3:ListBucket"
          Resource  = local.bucket_arn
          Condition = { StringLike = { "s3:prefix" = [for prefix in local.objects[function].prefixes : "${prefix}/*"] } }
        },
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.function[function].arn}:*"
        },
        {
          Sid      = "Trace"
          Effect   = "Allow"
          Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
          Resource = "*" # they have no resource
        },
      ],
      [for statement in var.read_genomes : statement if contains(local.reads_genomes, function)],
      var.use_key,
      [for invoker, invoked in local.invokes : {
        Sid      = "Invoke"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = [for name in invoked : local.function_arns[name]]
      } if invoker == function],
      [for sender in ["starter", "failures", "sweep"] : {
        Sid      = "FeedTheChunker"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "arn:${var.partition}:sqs:${var.region}:${var.account}:${var.name}-chunks"
      } if sender == function],
      [for submitter, phases in local.submits : {
        Sid      = "Submit"
        Effect   = "Allow"
        Action   = "batch:SubmitJob"
        Resource = concat([var.queue_arn], [for phase in phases : "${var.definitions[phase].prefix}*"])
      } if submitter == function],
      [for watcher in local.watches_jobs : {
        Sid      = "WatchJobs"
        Effect   = "Allow"
        Action   = ["batch:DescribeJobs", "batch:ListJobs"]
        Resource = "*" # they have no resource
      } if watcher == function],
      [for ender in local.ends_jobs : {
        Sid      = "EndJobs"
        Effect   = "Allow"
        Action   = "batch:TerminateJob"
        Resource = "arn:${var.partition}:batch:${var.region}:${var.account}:job/*"
      } if ender == function],
      [for reader in local.reads_logs : {
        Sid      = "ReadContainersLogs"
        Effect   = "Allow"
        Action   = "logs:GetLogEvents"
        Resource = "${var.batch_log_group.arn}:*"
      } if reader == function],
    )
  }
}

# Roles are the account's, not the region's: the region is in their names.
resource "aws_iam_role" "function" {
  for_each = local.functions
  name     = "${local.names[each.key]}-${var.region}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions
  name     = each.key
  role     = aws_iam_role.function[each.key].name

  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}
