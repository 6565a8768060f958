output "blocked_rule" {
  description = "The rule that a blocked queue triggers."
  value       = aws_cloudwatch_event_rule.blocked.name
}
