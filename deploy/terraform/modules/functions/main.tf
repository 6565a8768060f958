# The functions: thin, each with a role of its own.

locals {
  functions = {
    starter    = { memory_mb = 512, timeout_s = 29, disk_mb = 512 }
    status     = { memory_mb = 512, timeout_s = 29, disk_mb = 512 }
    chunker    = { memory_mb = 3008, timeout_s = 120, disk_mb = 512 }
    aggregator = { memory_mb = 3008, timeout_s = 900, disk_mb = 4096 }
    failures   = { memory_mb = 512, timeout_s = 60, disk_mb = 512 }
    sweep      = { memory_mb = 512, timeout_s = 300, disk_mb = 512 }
  }

  names = { for function in keys(local.functions) : function => "${var.name}-${function}" }
  zips  = { for function in keys(local.functions) : function => "${var.folder}/${function}.zip" }

  environment = merge(
    {
      FANFOLD_BUCKET           = var.bucket
      FANFOLD_SOURCES          = jsonencode([for source in var.sources : "${source.bucket}/${source.prefix}"])
      FANFOLD_IMAGE            = var.image
      FANFOLD_QUEUE            = var.queue_arn
      FANFOLD_NAME             = var.name
      FANFOLD_CHUNKER_QUEUE    = "https://sqs.${var.region}.amazonaws.com/${var.account}/${var.name}-chunks"
      FANFOLD_AGGREGATOR       = local.names["aggregator"]
      FANFOLD_LOG_GROUP        = var.batch_log_group.name
      FANFOLD_MAX_OBJECT_BYTES = tostring(var.max_object_bytes)
      FANFOLD_PRICES           = jsonencode(var.prices)
    },
    { for phase in keys(var.phases) : "FANFOLD_${upper(phase)}_DEFINITION" => var.definitions[phase].arn },
  )
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:no genome is in the logs; CloudWatch encrypts them with a key of its own
  for_each          = local.functions
  name              = "/aws/lambda/${local.names[each.key]}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:reserved concurrency is taken from the account's other functions; none is needed, the API is throttled
  #checkov:skip=CKV_AWS_116:asynchronous invocations that fail go to the failures queue, by the event invoke config of module events
  #checkov:skip=CKV_AWS_117:the functions talk to AWS alone; in a network they would need paid endpoints for five services
  #checkov:skip=CKV_AWS_173:the environment holds names, no secret; Lambda encrypts it with a key of its own
  #checkov:skip=CKV_AWS_272:the zips are built by who deploys them, and their hashes are in the plan
  for_each         = local.functions
  function_name    = local.names[each.key]
  role             = aws_iam_role.function[each.key].arn
  runtime          = "python3.13"
  handler          = "fanfold.aws.${each.key}.handler"
  architectures    = [var.architecture]
  filename         = local.zips[each.key]
  source_code_hash = fileexists(local.zips[each.key]) ? filebase64sha256(local.zips[each.key]) : null
  memory_size      = each.value.memory_mb
  timeout          = each.value.timeout_s

  # A first call before the permissions are there would fail, and one before the log group would
  # create it, without its retention.
  depends_on = [aws_iam_role_policy.function, aws_cloudwatch_log_group.function]

  ephemeral_storage {
    size = each.value.disk_mb
  }

  environment {
    variables = local.environment
  }

  tracing_config {
    mode = "Active"
  }

  # Not asked of who destroys.
  lifecycle {
    precondition {
      condition     = fileexists(local.zips[each.key])
      error_message = "There is no ${local.zips[each.key]}: functions_dir must hold the zips of all functions."
    }
  }
}
