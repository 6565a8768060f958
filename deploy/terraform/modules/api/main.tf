# The API: every method is signed (IAM), checked and throttled before a function is woken.

locals {
  routes = {
    "POST /chunk" = {
      resource = aws_api_gateway_resource.chunk
      function = var.starter
      query    = []
      models   = { "application/json" = aws_api_gateway_model.request.name }
    }
    "GET /jobs" = {
      resource = aws_api_gateway_resource.jobs
      function = var.status
      query    = ["limit", "next"]
      models   = {}
    }
    "GET /jobs/{job}" = {
      resource = aws_api_gateway_resource.job
      function = var.status
      query    = []
      models   = {}
    }
    "DELETE /jobs/{job}" = {
      resource = aws_api_gateway_resource.job
      function = var.status
      query    = []
      models   = {}
    }
    "GET /jobs/{job}/logs" = {
      resource = aws_api_gateway_resource.logs
      function = var.status
      query    = ["limit", "phase", "slice"]
      models   = {}
    }
  }
}

resource "aws_api_gateway_rest_api" "this" {
  name        = var.name
  description = "Genomes in, reports out."

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_resource" "chunk" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "chunk"
}

resource "aws_api_gateway_resource" "jobs" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "jobs"
}

resource "aws_api_gateway_resource" "job" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.jobs.id
  path_part   = "{job}"
}

resource "aws_api_gateway_resource" "logs" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.job.id
  path_part   = "logs"
}

resource "aws_api_gateway_request_validator" "this" {
  rest_api_id                 = aws_api_gateway_rest_api.this.id
  name                        = "body-and-parameters"
  validate_request_body       = true
  validate_request_parameters = true
}

# The shape alone: what the values mean is checked by the starter, which can say what is wrong.
resource "aws_api_gateway_model" "request" {
  rest_api_id  = aws_api_gateway_rest_api.this.id
  name         = "Request"
  description  = "What POST /chunk takes"
  content_type = "application/json"

  schema = jsonencode({
    "$schema"            = "http://json-schema.org/draft-04/schema#"
    title                = "Request"
    type                 = "object"
    required             = ["bucket", "key"]
    additionalProperties = false
    properties = {
      bucket      = { type = "string", minLength = 1 }
      key         = { type = "string", minLength = 1 }
      k           = { type = "array", items = { type = "integer" } }
      canonical   = { type = "boolean" }
      slice_bytes = { type = "integer", minimum = 1 }
      chunks      = { type = "string", enum = ["ranges", "files"] }
    }
  })
}

resource "aws_api_gateway_method" "route" {
  for_each             = local.routes
  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = each.value.resource.id
  http_method          = split(" ", each.key)[0]
  authorization        = "AWS_IAM"
  request_validator_id = aws_api_gateway_request_validator.this.id
  request_models       = each.value.models

  request_parameters = merge(
    { for parameter in each.value.query : "method.request.querystring.${parameter}" => false },
    { for parameter in regexall("{(\\w+)}", each.key) : "method.request.path.${parameter[0]}" => true },
  )
}

resource "aws_api_gateway_integration" "route" {
  for_each                = local.routes
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = each.value.resource.id
  http_method             = aws_api_gateway_method.route[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = each.value.function.invoke_arn
}

resource "aws_lambda_permission" "route" {
  for_each      = local.routes
  function_name = each.value.function.name
  statement_id  = "api-${replace(lower(replace(each.key, "/[{}]/", "")), "/[^a-z]+/", "-")}"
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"

  # Of the stage, the method and the path; a parameter stands for one segment.
  source_arn = join("/", [
    aws_api_gateway_rest_api.this.execution_arn,
    local.stage,
    "${split(" ", each.key)[0]}${replace(split(" ", each.key)[1], "/{\\w+}/", "*")}",
  ])
}

# --- The stage ---------------------------------------------------------------------------------

locals {
  stage = "prod"
}

# A deployment is a snapshot: a new one whenever what it holds changes. Arguments that are given here
# alone: of the others, a refresh makes null empty, and so what is hashed another.
resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  triggers = {
    content = sha256(jsonencode([
      local.responses,
      aws_api_gateway_model.request.schema,
      [for method in aws_api_gateway_method.route : [
        method.resource_id,
        method.http_method,
        method.authorization,
        method.request_validator_id,
        method.request_models,
        method.request_parameters,
      ]],
      [for integration in aws_api_gateway_integration.route : [
        integration.type,
        integration.integration_http_method,
        integration.uri,
      ]],
    ]))
  }

  depends_on = [aws_api_gateway_gateway_response.this]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_120:a job's state is asked for while it changes: a cache would answer what was
  #checkov:skip=CKV2_AWS_4:it has a logging level where the account has a role to write logs by
  #checkov:skip=CKV2_AWS_29:whoever is not signed by the account is refused by IAM; a firewall has a price at rest
  #checkov:skip=CKV2_AWS_51:callers are known by their signatures; a certificate would add nothing
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = local.stage
  xray_tracing_enabled = true

  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access
    content {
      destination_arn = access_log_settings.value.arn
      format = jsonencode({
        time        = "$context.requestTime"
        request     = "$context.requestId"
        caller      = "$context.identity.userArn"
        source      = "$context.identity.sourceIp"
        method      = "$context.httpMethod"
        path        = "$context.path"
        status      = "$context.status"
        error       = "$context.error.responseType"
        bytes       = "$context.responseLength"
        duration_ms = "$context.responseLatency"
        function_ms = "$context.integrationLatency"
      })
    }
  }

  # What API Gateway would make by itself is there before, with its retention, and goes after it.
  depends_on = [aws_cloudwatch_log_group.execution]
}

resource "aws_api_gateway_method_settings" "all" {
  #checkov:skip=CKV_AWS_225:a job's state is asked for while it changes: a cache would answer what was
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = var.logs ? "ERROR" : "OFF"
    data_trace_enabled     = false # bodies name genomes
    throttling_rate_limit  = var.rate
    throttling_burst_limit = var.burst
  }
}

# Logs need a role that is one setting of the account for all its APIs: it is not managed here.
resource "aws_cloudwatch_log_group" "access" {
  count             = var.logs ? 1 : 0
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_log_group" "execution" {
  count             = var.logs ? 1 : 0
  name              = "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.this.id}/${local.stage}"
  retention_in_days = var.log_retention_days
}

# Earlier versions managed the account's setting. It stays as it is, with its role: others may use it.
removed {
  from = aws_api_gateway_account.this

  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_iam_role_policy_attachment.logs

  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_iam_role.logs

  lifecycle {
    destroy = false
  }
}
