output "starter_api_url" {
  description = "Where a genome is posted; requests are signed with AWS Signature Version 4."
  value       = "${module.api.url}/chunk"
}

output "api_url" {
  description = "The API: POST /chunk, GET /jobs, GET and DELETE /jobs/{job}, GET /jobs/{job}/logs."
  value       = module.api.url
}

output "bucket" {
  description = "The bucket: genomes go to input/, results are in results/."
  value       = module.storage.bucket
}

output "queue_arn" {
  description = "The Batch queue, where the slices' jobs are seen."
  value       = module.batch.queue_arn
}

output "log_groups" {
  description = "The log groups by what writes them: containers, each function, and api with api_logs."
  value = merge(
    { containers = module.batch.log_group.name },
    { for log_group in compact([module.api.log_group]) : "api" => log_group },
    { for name, function in module.functions.functions : name => function.log_group },
  )
}

output "repository_url" {
  description = "The registry of the container's image."
  value       = module.storage.repository_url
}

output "region" {
  description = "Where everything is."
  value       = local.region
}

output "at_rest" {
  description = "What is billed while nothing runs, besides stored objects and logs: USD a month, in all and by item, by list prices of us-east-1."
  value = {
    usd_per_month = sum(local.at_rest[*].usd_per_month)
    items         = [for item in local.at_rest : item if item.usd_per_month > 0]
  }
}
