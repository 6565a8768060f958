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

variable "chunks" {
  description = "The queue that feeds the chunker."
  type        = object({ url = string, arn = string })
}

variable "chunkers" {
  description = "How many chunkers may run at once."
  type        = number
}

variable "failures" {
  description = "The queue of what could not be done."
  type        = object({ url = string, arn = string })
}

variable "dead_letters" {
  description = "The queue of what nobody could mend."
  type        = object({ url = string, arn = string })
}
