variable "name" {
  description = "What the queues' names begin with."
  type        = string
}
