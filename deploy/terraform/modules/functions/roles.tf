# What each function may do, and no more.

locals {
  bucket_arn = "arn:${var.partition}:s3:::${var.bucket}"
  # Of the bucket: what a function does with which objects.
  objects = {
    starter = {
      "s3:GetObject" = ["results/*", "jobs/*"]
      "s3:PutObject" = ["results/*", "jobs/*"]
    }
    status = {
      "s3:GetObject"    = ["results/*", "jobs/*"]
      "s3:PutObject"    = ["results/*/error.json"]
      "s3:DeleteObject" = ["jobs/open/*"]
    }
    chunker    = local.all
    aggregator = local.all
    failures = {
      "s3:GetObject"    = ["results/*", "jobs/*"]
      "s3:PutObject"    = ["results/*/error.json"]
      "s3:DeleteObject" = ["jobs/open/*"]
    }
    sweep = {
      "s3:GetObject"    = ["results/*", "jobs/open/*"]
      "s3:PutObject"    = ["results/*/error.json", "jobs/open/*"]
      "s3:DeleteObject" = ["jobs/open/*"]
    }
  }
  all = {
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"] :
    action => ["results/*", "jobs/*", "chunks/*"]
  }

  # Whose genomes it reads, whom it wakes, which phases it submits, what it sees of Batch.
  reads_genomes      = ["starter", "chunker", "aggregator"]
  feeds_chunker      = ["starter", "chunker", "failures", "sweep"]
  invokes_aggregator = ["failures", "sweep"]
  submits            = { for phase, each in var.phases : each.submitter => phase... }
  sees_jobs          = ["chunker", "aggregator", "status", "sweep"]
  finds_jobs         = ["chunker", "aggregator", "status"]
  ends_jobs          = ["chunker", "aggregator", "status"]
  reads_logs         = ["aggregator", "status"]

  statements = {
    for function in keys(local.functions) : function => concat(
      [for action, keys in local.objects[function] : {
        Effect   = "Allow"
        Action   = action
        Resource = [for key in keys : "${local.bucket_arn}/${key}"]
      }],
      [
        # Without a condition: a missing key would be 403, since reads have no s3:prefix.
        {
          Sid      = "ListObjects"
          Effect   = "Allow"
          Action   = "s3:ListBucket"
          Resource = local.bucket_arn
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
      [for feeder in local.feeds_chunker : {
        Sid      = "FeedChunker"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = var.chunks.arn
      } if feeder == function],
      [for invoker in local.invokes_aggregator : {
        Sid      = "InvokeAggregator"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = "arn:${var.partition}:lambda:${var.region}:${var.account}:function:${local.names["aggregator"]}"
      } if invoker == function],
      [for submitter, phases in local.submits : {
        Sid      = "Submit"
        Effect   = "Allow"
        Action   = "batch:SubmitJob"
        Resource = concat([var.queue_arn], [for phase in phases : "${var.definitions[phase].prefix}*"])
      } if submitter == function],
      [for seer in local.sees_jobs : {
        Sid      = "SeeJobs"
        Effect   = "Allow"
        Action   = "batch:DescribeJobs"
        Resource = "*" # it has no resource
      } if seer == function],
      [for finder in local.finds_jobs : {
        Sid      = "FindJobs"
        Effect   = "Allow"
        Action   = "batch:ListJobs"
        Resource = "*" # it has no resource
      } if finder == function],
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
