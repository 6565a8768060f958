variable "name" {
  description = "The API's name."
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

variable "logs" {
  description = "Whether API Gateway has a role to write logs by."
  type        = bool
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
