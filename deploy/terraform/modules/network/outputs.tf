output "subnet_ids" {
  description = "Where the containers run."
  value       = local.created ? [for subnet in aws_subnet.this : subnet.id] : var.subnet_ids
}

output "security_group_ids" {
  description = "The containers' security groups."
  value       = local.created ? aws_security_group.containers[*].id : var.security_group_ids
}

output "assign_public_ip" {
  description = "Whether a container needs a public address to reach AWS."
  value       = local.public
}

output "interface_endpoints" {
  description = "How many interface endpoints there are, each zone's counted: what has a price by the hour."
  value       = length(local.interfaces) * length(local.zones)
}
