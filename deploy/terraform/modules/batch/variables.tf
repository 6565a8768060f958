variable "name" {
  description = "What the resources are called."
  type        = string
}

variable "phases" {
  description = "What a job's container does, by the verb of its name: options, and the size and time it gets."
  type        = map(object({ options = list(string), vcpu = string, memory_mb = string, timeout_s = number }))
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
  description = "The region, for ARNs and the containers' AWS_REGION."
  type        = string
}

variable "image" {
  description = "The container, by digest."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64."
  type        = string
}

variable "repository_arn" {
  description = "The registry that images are pulled from."
  type        = string
}

variable "bucket" {
  description = "The bucket of results."
  type        = string
}

variable "read_genomes" {
  description = "Statements that let a role read genomes."
  type        = any
}

variable "use_key" {
  description = "Statements that let a role use the bucket's key."
  type        = any
}

variable "subnet_ids" {
  description = "Where containers run."
  type        = list(string)
}

variable "security_group_ids" {
  description = "The containers' security groups."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Whether containers have public addresses."
  type        = bool
}

variable "spot" {
  description = "Whether containers run on spare capacity while there is some."
  type        = bool
}

variable "max_vcpus" {
  description = "How many vCPUs may run at once, on demand and on spare capacity each."
  type        = number
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
