# What the chunker is fed by, what it and others could not do, and what nobody could mend.

# A message stays hidden for six times the function's time-out, as Lambda advises.
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

resource "aws_sqs_queue" "failures" {
  name                       = "${var.name}-failures"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 360
  message_retention_seconds  = 1209600

  # A message that comes from the chunker's queue was received five times.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 8
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_redrive_allow_policy" "failures" {
  queue_url = aws_sqs_queue.failures.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.chunks.arn]
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.failures.arn]
  })
}
