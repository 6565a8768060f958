output "dead_letters_queue" {
  description = "The queue of what nobody could mend."
  value       = aws_sqs_queue.dead_letters.name
}

output "failed_rule" {
  description = "The rule that a failed job triggers."
  value       = aws_cloudwatch_event_rule.job["failed"].name
}
