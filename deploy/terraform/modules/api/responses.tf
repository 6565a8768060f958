# What the gateway answers by itself, as problem documents (RFC 9457), like the functions' answers.

locals {
  sign = "requests are signed with AWS Signature Version 4: see docs/aws.md"

  responses = {
    BAD_REQUEST_BODY = {
      status = 400
      slug   = "bad-request"
      title  = "The request can't be read"
      detail = "The body is a JSON object: bucket and key, and if wished k (a list of whole numbers), canonical (true or false), slice_bytes (a whole number), chunks (ranges or files); no other field."
    }
    BAD_REQUEST_PARAMETERS = {
      status = 400
      slug   = "bad-request"
      title  = "The request can't be read"
      detail = "A parameter is missing or can't be: see docs/aws.md"
    }
    MISSING_AUTHENTICATION_TOKEN = {
      status = 403
      slug   = "forbidden"
      title  = "The request isn't signed, or there is no such route"
      detail = local.sign
    }
    ACCESS_DENIED = {
      status = 403
      slug   = "forbidden"
      title  = "The caller may not do this"
      detail = "The caller's policy must allow execute-api:Invoke on this API; ${local.sign}"
    }
    INVALID_SIGNATURE = {
      status = 403
      slug   = "forbidden"
      title  = "The signature doesn't hold"
      detail = "The secret key, the session token or the clock may be wrong; ${local.sign}"
    }
    EXPIRED_TOKEN = {
      status = 403
      slug   = "forbidden"
      title  = "The session has expired"
      detail = "The credentials must be renewed; ${local.sign}"
    }
    REQUEST_TOO_LARGE = {
      status = 413
      slug   = "too-large"
      title  = "The request is too large"
      detail = "A request holds a bucket and a key; the genome itself is put into the bucket."
    }
    UNSUPPORTED_MEDIA_TYPE = {
      status = 415
      slug   = "unsupported-media-type"
      title  = "The request can't be read"
      detail = "The body is JSON: Content-Type: application/json"
    }
    THROTTLED = {
      status = 429
      slug   = "too-many-requests"
      title  = "Too many requests"
      detail = "The API takes ${var.rate} requests a second, ${var.burst} at once: try again."
    }
    INTEGRATION_FAILURE = {
      status = 502
      slug   = "function-failed"
      title  = "The function failed"
      detail = "The function ended before it answered; its log says why. The request may be sent again."
    }
    INTEGRATION_TIMEOUT = {
      status = 504
      slug   = "function-timeout"
      title  = "The function took too long"
      detail = "The function didn't answer in time; its log says why. The request may be sent again."
    }

    # The rest keep the status that the gateway gives them.
    DEFAULT_4XX = { status = null, slug = "refused", title = "The gateway refused the request", detail = local.sign }
    DEFAULT_5XX = {
      status = null
      slug   = "gateway-failed"
      title  = "The gateway failed"
      detail = "The request may be sent again."
    }
  }
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each      = local.responses
  rest_api_id   = aws_api_gateway_rest_api.this.id
  response_type = each.key
  status_code   = each.value.status

  response_parameters = { "gatewayresponse.header.Content-Type" = "'application/problem+json'" }

  response_templates = {
    "application/json" = jsonencode({
      for member, value in {
        type   = "urn:fanfold:problem:${each.value.slug}"
        title  = each.value.title
        status = each.value.status
        detail = each.value.detail
      } : member => value if value != null
    })
  }
}
