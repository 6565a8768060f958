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

  # The chunker takes its turn in a queue; the aggregator is invoked.
  targets = { chunker = var.chunks.arn, aggregator = var.functions["aggregator"].arn }
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
  arn       = local.targets[each.value.target]

  retry_policy {
    maximum_event_age_in_seconds = 21600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = var.failures.arn
  }

  # An event that comes before the permission would be lost to the failures queue.
  depends_on = [aws_lambda_permission.rule, aws_sqs_queue_policy.chunks, aws_sqs_queue_policy.failures]
}

# What is lost all the same is found by the sweep: by the clock, and when Batch tells that a job at the
# head of the queue can't start.
resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name}-sweep"
  description         = "Wakes the sweep, which compares open jobs with what Batch knows"
  schedule_expression = "rate(10 minutes)"
}

resource "aws_cloudwatch_event_rule" "blocked" {
  name        = "${var.name}-blocked"
  description = "Wakes the sweep: a job at the head of the queue can't start"

  event_pattern = jsonencode({
    source      = ["aws.batch"]
    detail-type = ["Batch Job Queue Blocked"]
    detail      = { jobQueue = [var.queue_arn] }
  })
}

locals {
  sweepers = { sweep = aws_cloudwatch_event_rule.sweep, blocked = aws_cloudwatch_event_rule.blocked }
}

resource "aws_cloudwatch_event_target" "sweep" {
  for_each  = local.sweepers
  rule      = each.value.name
  target_id = "sweep"
  arn       = var.functions["sweep"].arn

  # The next one comes in ten minutes.
  retry_policy {
    maximum_event_age_in_seconds = 300
    maximum_retry_attempts       = 2
  }

  dead_letter_config {
    arn = var.dead_letters.arn
  }

  depends_on = [aws_lambda_permission.rule, aws_sqs_queue_policy.dead_letters]
}

locals {
  wakers = merge(
    { for rule, made in aws_cloudwatch_event_rule.job : rule => { arn = made.arn, function = local.rules[rule].target } if local.rules[rule].target != "chunker" },
    { for rule, made in local.sweepers : rule => { arn = made.arn, function = "sweep" } },
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

# --- What rules may write to queues ------------------------------------------------------------

resource "aws_sqs_queue_policy" "chunks" {
  queue_url = var.chunks.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheRuleFeedsTheChunker"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = var.chunks.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.job["inflated"].arn } }
    }]
  })
}

resource "aws_sqs_queue_policy" "failures" {
  queue_url = var.failures.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RulesTellFailures"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = var.failures.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.job : rule.arn] } }
    }]
  })
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = var.dead_letters.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheSweepsRulesTellFailures"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = var.dead_letters.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in local.sweepers : rule.arn] } }
    }]
  })
}

# --- What functions hear from queues, and tell -------------------------------------------------

locals {
  # A time-out of the chunker's message is changed by the chunker, so that a retry comes soon.
  hears = {
    chunker  = { queue = var.chunks.arn, more = ["sqs:ChangeMessageVisibility"] }
    failures = { queue = var.failures.arn, more = [] }
  }
}

resource "aws_iam_role_policy" "hears" {
  for_each = local.hears
  name     = "hears"
  role     = var.functions[each.key].role

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "HearsFromItsQueue"
      Effect   = "Allow"
      Action   = concat(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], each.value.more)
      Resource = each.value.queue
    }]
  })
}

# Many archives at once must not take the concurrency that answers requests.
resource "aws_lambda_event_source_mapping" "chunks" {
  event_source_arn = var.chunks.arn
  function_name    = var.functions["chunker"].name
  batch_size       = 1
  depends_on       = [aws_iam_role_policy.hears]

  scaling_config {
    maximum_concurrency = var.chunkers
  }
}

resource "aws_lambda_event_source_mapping" "failures" {
  event_source_arn = var.failures.arn
  function_name    = var.functions["failures"].name
  batch_size       = 1
  depends_on       = [aws_iam_role_policy.hears]
}

# The aggregator is woken asynchronously, and so can fail where no caller sees it.
resource "aws_lambda_function_event_invoke_config" "aggregator" {
  function_name                = var.functions["aggregator"].name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = var.failures.arn
    }
  }

  depends_on = [aws_iam_role_policy.tells_failures]
}

resource "aws_iam_role_policy" "tells_failures" {
  name = "tells-failures"
  role = var.functions["aggregator"].role

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "TellsFailures"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = var.failures.arn
    }]
  })
}
