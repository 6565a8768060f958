variable "name" {
  description = "What the functions' names begin with."
  type        = string
}

variable "partition" {
  description = "The partition of ARNs."
  type        = string
}

variable "account" {
  description = "The account, for ARNs."
  type        = string
}

variable "region" {
  description = "The region, for ARNs."
  type        = string
}

variable "folder" {
  description = "The folder of the zips."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64."
  type        = string
}

variable "image" {
  description = "The container, by digest: part of a job's identity."
  type        = string
}

variable "bucket" {
  description = "The bucket of results."
  type        = string
}

variable "sources" {
  description = "Where genomes may be read."
  type        = list(object({ bucket = string, prefix = string, kms_key_arn = optional(string) }))
}

variable "read_genomes" {
  description = "Statements that let a role read genomes."
  type        = any
}

variable "use_key" {
  description = "Statements that let a role use the bucket's key."
  type        = any
}

variable "queue_arn" {
  description = "The Batch queue."
  type        = string
}

variable "phases" {
  description = "By phase: the function that submits it."
  type        = map(object({ submitter = string }))
}

variable "definitions" {
  description = "The job definitions by phase: arn, and prefix of every revision's."
  type        = map(object({ arn = string, prefix = string }))
}

variable "batch_log_group" {
  description = "The containers' log group."
  type        = object({ name = string, arn = string })
}

variable "chunks" {
  description = "The queue that feeds the chunker."
  type        = object({ url = string, arn = string })
}

variable "limits" {
  description = "What a job may be, and what the functions do themselves, by the setting's name."
  type        = map(number)
}

variable "prices" {
  description = "USD for an hour of a vCPU, of a GB and of a public address, and the share of it that Spot costs."
  type        = object({ vcpu_hour = number, gb_hour = number, address_hour = number, spot_share = number })
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
