output "bucket" {
  description = "The bucket's name."
  value       = aws_s3_bucket.this.bucket
}

output "repository_arn" {
  description = "The registry's ARN."
  value       = aws_ecr_repository.this.arn
}

output "repository_url" {
  description = "The registry's address."
  value       = aws_ecr_repository.this.repository_url
}

output "sources" {
  description = "Where genomes may be read: the bucket's input/, then source_buckets."
  value       = local.sources
}

output "read_genomes" {
  description = "Statements that let a role read genomes."
  value       = local.read_genomes
}

output "use_key" {
  description = "Statements that let a role read and write what the bucket's key encrypts; none for SSE-S3."
  value       = local.use_key
}
