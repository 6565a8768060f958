variable "name" {
  description = "The registry's name."
  type        = string
}

variable "bucket_name" {
  description = "The bucket's name."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts the bucket; null: SSE-S3."
  type        = string
}

variable "versioning" {
  description = "Whether the bucket keeps old versions."
  type        = bool
}

variable "chunk_expiry_days" {
  description = "After how many days chunks/ is emptied."
  type        = number
}

variable "delete_data" {
  description = "Whether destroy may delete a bucket that holds objects."
  type        = bool
}

variable "partition" {
  description = "The partition of ARNs."
  type        = string
}

variable "region" {
  description = "The region, for the condition on keys."
  type        = string
}

variable "source_buckets" {
  description = "Other buckets where genomes may be read."
  type        = list(object({ bucket = string, prefix = string, kms_key_arn = optional(string) }))
}
