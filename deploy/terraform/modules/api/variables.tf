variable "name" {
  description = "The API's name."
  type        = string
}

variable "partition" {
  description = "The partition of ARNs."
  type        = string
}

variable "region" {
  description = "The region, for the log role's name."
  type        = string
}

variable "starter" {
  description = "The function behind POST /chunk."
  type        = object({ name = string, invoke_arn = string })
}

variable "status" {
  description = "The function behind the other routes."
  type        = object({ name = string, invoke_arn = string })
}

variable "rate" {
  description = "Requests a second."
  type        = number
}

variable "burst" {
  description = "Requests at once."
  type        = number
}

variable "log_role" {
  description = "Whether to create the role by which API Gateway writes logs."
  type        = bool
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
