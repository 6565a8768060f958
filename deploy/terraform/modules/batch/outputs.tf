output "queue_arn" {
  description = "The queue."
  value       = aws_batch_job_queue.this.arn
}

# Whoever submits needs the roles to be complete.
output "definitions" {
  description = "By phase: arn, the newest revision, and prefix, what the ARN of every revision begins with."
  value = {
    for phase, definition in aws_batch_job_definition.phase :
    phase => { arn = definition.arn, prefix = "${definition.arn_prefix}:" }
  }
  depends_on = [aws_iam_role_policy.containers, aws_iam_role_policy.execution]
}

output "log_group" {
  description = "The containers' log group."
  value       = { name = aws_cloudwatch_log_group.containers.name, arn = aws_cloudwatch_log_group.containers.arn }
}
