# What goes wrong raises an alarm: an alarm is told to the topic, if there is one.

locals {
  alarms = merge(
    {
      dead-letters = {
        description = "A failure could not be written down: look into the queue ${var.dead_letters_queue}"
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        statistic   = "Maximum"
        dimensions  = { QueueName = var.dead_letters_queue }
      }
      failed-jobs = {
        description = "A Batch job failed: its job's error.json says why"
        namespace   = "AWS/Events"
        metric      = "TriggeredRules"
        statistic   = "Sum"
        dimensions  = { RuleName = var.failed_rule }
      }
      api-5xx = {
        description = "The API answered 5xx: see its log group, and the functions'"
        namespace   = "AWS/ApiGateway"
        metric      = "5XXError"
        statistic   = "Sum"
        dimensions  = { ApiName = var.api, Stage = var.stage }
      }
    },
    { for function, name in var.functions : "${function}-errors" => {
      description = "The function ${name} failed: see its log group"
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      statistic   = "Sum"
      dimensions  = { FunctionName = name }
    } },
    { for function, name in var.functions : "${function}-throttles" => {
      description = "The function ${name} was throttled: the account's concurrency is used up"
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      statistic   = "Sum"
      dimensions  = { FunctionName = name }
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}

# Dashboards are the account's, not the region's: the region is in their names.
resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-${var.region}"

  dashboard_body = jsonencode({
    widgets = [
      for index, widget in [
        { title = "Calls", stat = "Sum", metrics = [["AWS/ApiGateway", "Count", "ApiName", var.api, "Stage", var.stage], [".", "4XXError", ".", ".", ".", "."], [".", "5XXError", ".", ".", ".", "."]] },
        { title = "Failed Batch jobs, dead letters", stat = "Sum", metrics = [["AWS/Events", "TriggeredRules", "RuleName", var.failed_rule], ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letters_queue]] },
        { title = "Functions: errors", stat = "Sum", metrics = [for name in values(var.functions) : ["AWS/Lambda", "Errors", "FunctionName", name]] },
        { title = "Functions: milliseconds", stat = "Maximum", metrics = [for name in values(var.functions) : ["AWS/Lambda", "Duration", "FunctionName", name]] },
        ] : {
        type   = "metric"
        x      = 12 * (index % 2)
        y      = 6 * floor(index / 2)
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          region  = var.region
          metrics = widget.metrics
          stat    = widget.stat
          period  = 300
        }
      }
    ]
  })
}
