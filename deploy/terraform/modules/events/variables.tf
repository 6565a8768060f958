variable "name" {
  description = "What rules and queues are called."
  type        = string
}

variable "queue_arn" {
  description = "The Batch queue whose jobs are followed."
  type        = string
}

variable "phases" {
  description = "By phase: the function that its success wakes."
  type        = map(object({ wakes = string }))
}

variable "definitions" {
  description = "The job definitions by phase: arn, and prefix of every revision's."
  type        = map(object({ arn = string, prefix = string }))
}

variable "functions" {
  description = "The functions: name, arn and role's name."
  type        = map(object({ name = string, arn = string, role = string }))
}
