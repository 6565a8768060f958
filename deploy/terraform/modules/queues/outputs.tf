output "chunks" {
  description = "The queue that feeds the chunker."
  value       = { url = aws_sqs_queue.chunks.url, arn = aws_sqs_queue.chunks.arn }
}

output "failures" {
  description = "The queue of what could not be done."
  value       = { url = aws_sqs_queue.failures.url, arn = aws_sqs_queue.failures.arn }
}

output "dead_letters" {
  description = "The queue of what nobody could mend."
  value = {
    name = aws_sqs_queue.dead_letters.name
    url  = aws_sqs_queue.dead_letters.url
    arn  = aws_sqs_queue.dead_letters.arn
  }
}
