variable "name" {
  description = "What alarms' names begin with."
  type        = string
}

variable "region" {
  description = "The region of the dashboard's metrics."
  type        = string
}

variable "functions" {
  description = "The functions' names."
  type        = map(string)
}

variable "api" {
  description = "The API's name."
  type        = string
}

variable "stage" {
  description = "The API's stage."
  type        = string
}

variable "dead_letters_queue" {
  description = "The queue of dead letters."
  type        = string
}

variable "blocked_rule" {
  description = "The rule that a blocked Batch queue triggers."
  type        = string
}

variable "alarm_topic_arn" {
  description = "The SNS topic that hears of alarms; null: none."
  type        = string
}
