variable "name" {
  description = "What the resources are called."
  type        = string
}

variable "partition" {
  description = "The partition of ARNs."
  type        = string
}

variable "region" {
  description = "The region, for the names of endpoints."
  type        = string
}

variable "mode" {
  description = "private, public or own."
  type        = string
}

variable "vpc_cidr" {
  description = "The addresses of the network."
  type        = string
}

variable "subnet_ids" {
  description = "The user's own subnets."
  type        = list(string)
}

variable "security_group_ids" {
  description = "The user's own security groups."
  type        = list(string)
}

variable "bucket" {
  description = "The project's bucket, which containers read and write."
  type        = string
}

variable "sources" {
  description = "Where genomes may be read."
  type        = list(object({ bucket = string, prefix = string, kms_key_arn = optional(string) }))
}
