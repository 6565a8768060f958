output "name" {
  description = "The API's name, the dimension of its metrics."
  value       = aws_api_gateway_rest_api.this.name
}

output "stage" {
  description = "The stage."
  value       = aws_api_gateway_stage.this.stage_name
}

# Whoever calls finds the throttling and the permissions in place.
output "url" {
  description = "Where the API answers, without a slash at the end."
  value       = aws_api_gateway_stage.this.invoke_url
  depends_on  = [aws_api_gateway_method_settings.all, aws_lambda_permission.route]
}

output "log_group" {
  description = "The log group of the calls; null without logs."
  value       = one(aws_cloudwatch_log_group.access[*].name)
}
