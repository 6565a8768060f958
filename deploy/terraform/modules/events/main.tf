# Who wakes whom, and where it goes when nobody could be woken.

locals {
  # A job's end wakes one function. index is what only an array's children have: the array itself
  # and the plain jobs are left.
  rules = {
    succeeded = { status = "SUCCEEDED", phases = local.wake["aggregator"], target = "aggregator", why = "slices or the fold are done" }
    failed    = { status = "FAILED", phases = keys(var.phases), target = "aggregator", why = "a job has failed" }
    inflated  = { status = "SUCCEEDED", phases = local.wake["chunker"], target = "chunker", why = "the genome is inflated" }
  }

  wake = { for phase, each in var.phases : each.wakes => phase... }

  # What is woken asynchronously, and so can fail where no caller sees it.
  asynchronous = ["aggregator"]
}

resource "aws_cloudwatch_event_rule" "job" {
  for_each    = local.rules
  name        = "${var.name}-${each.key}"
  description = "Wakes the ${each.value.target}: ${each.value.why}"

  event_pattern = jsonencode({
    source      = ["aws.batch"]
    detail-type = ["Batch Job State Change"]
    detail = {
      jobQueue        = [var.queue_arn]
      status          = [each.value.status]
      jobDefinition   = [for phase in each.value.phases : { prefix = var.definitions[phase].prefix }]
      arrayProperties = { index = [{ exists = false }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "job" {
  for_each  = local.rules
  rule      = aws_cloudwatch_event_rule.job[each.key].name
  target_id = each.value.target
  arn       = each.value.target == "chunker" ? aws_sqs_queue.chunks.arn : var.functions[each.value.target].arn

  retry_policy {
    maximum_event_age_in_seconds = 21600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.failures.arn
  }

  # An event that comes before the permission would be lost to the failures queue.
  depends_on = [aws_lambda_permission.rule, aws_sqs_queue_policy.failures]
}

# What is lost all the same is found by the sweep.
resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name}-sweep"
  description         = "Wakes the sweep, which holds open jobs against what Batch knows"
  schedule_expression = "rate(10 minutes)"
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule      = aws_cloudwatch_event_rule.sweep.name
  target_id = "sweep"
  arn       = var.functions["sweep"].arn

  # The next one comes in ten minutes.
  retry_policy {
    maximum_event_age_in_seconds = 300
    maximum_retry_attempts       = 2
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  depends_on = [aws_lambda_permission.rule, aws_sqs_queue_policy.dead_letters]
}

locals {
  wakers = merge(
    { for rule, made in aws_cloudwatch_event_rule.job : rule => { arn = made.arn, function = local.rules[rule].target } if rule != "inflated" },
    { sweep = { arn = aws_cloudwatch_event_rule.sweep.arn, function = "sweep" } },
  )
}

resource "aws_lambda_permission" "rule" {
  for_each      = local.wakers
  function_name = var.functions[each.value.function].name
  statement_id  = "rule-${each.key}"
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = each.value.arn
}

# --- Failures ----------------------------------------------------------------------------------

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each                     = toset(local.asynchronous)
  function_name                = var.functions[each.key].name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }

  depends_on = [aws_iam_role_policy.tell_failures]
}

resource "aws_iam_role_policy" "tell_failures" {
  for_each = toset(local.asynchronous)
  name     = "tell-failures"
  role     = var.functions[each.key].role

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "TellFailures"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = aws_sqs_queue.failures.arn
    }]
  })
}

# A message stays hidden for six times the function's minute, as Lambda advises.
resource "aws_sqs_queue" "failures" {
  name                       = "${var.name}-failures"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 360
  message_retention_seconds  = 1209600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 8 # a message that the chunker's queue gave up was received five times
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.failures.arn]
  })
}

resource "aws_sqs_queue_policy" "failures" {
  queue_url = aws_sqs_queue.failures.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RulesTellFailures"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.failures.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.job : rule.arn] } }
    }]
  })
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheSchedulesRuleTellsFailures"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.sweep.arn } }
    }]
  })
}

resource "aws_lambda_event_source_mapping" "failures" {
  event_source_arn = aws_sqs_queue.failures.arn
  function_name    = var.functions["failures"].name
  batch_size       = 1
  depends_on       = [aws_iam_role_policy.hear_failures]
}

resource "aws_iam_role_policy" "hear_failures" {
  name = "hear-failures"
  role = var.functions["failures"].role

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "HearFailures"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      Resource = aws_sqs_queue.failures.arn
    }]
  })
}

# --- The chunker's queue ------------------------------------------------------------------------

resource "aws_sqs_queue" "chunks" {
  name                       = "${var.name}-chunks"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 720
  message_retention_seconds  = 1209600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.failures.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue_policy" "chunks" {
  queue_url = aws_sqs_queue.chunks.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheRuleFeedsTheChunker"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.chunks.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.job["inflated"].arn } }
    }]
  })
}

resource "aws_lambda_event_source_mapping" "chunks" {
  event_source_arn = aws_sqs_queue.chunks.arn
  function_name    = var.functions["chunker"].name
  batch_size       = 1
  depends_on       = [aws_iam_role_policy.hear_chunks]

  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_iam_role_policy" "hear_chunks" {
  name = "hear-chunks"
  role = var.functions["chunker"].role

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "HearChunks"
      Effect = "Allow"
      Action = [
        "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility",
      ]
      Resource = aws_sqs_queue.chunks.arn
    }]
  })
}
