output "alarms" {
  description = "How many alarms there are."
  value       = length(local.alarms)
}
