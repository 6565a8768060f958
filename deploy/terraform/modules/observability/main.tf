# What an operator must look after raises an alarm: an alarm is told to the topic, if there is one.
# Bad input and cancellations are the users' own and raise none.

locals {
  # What the functions count, in the namespace "fanfold".
  own = { deployment = var.name }

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
        description = "A job failed, and not for its input: its error.json says why"
        namespace   = "fanfold"
        metric      = "JobsFailed"
        statistic   = "Sum"
        dimensions  = local.own
      }
      old-job = {
        description = "A job has been open for two days: its status and the sweep's log say where it stands"
        namespace   = "fanfold"
        metric      = "OldestOpenJobSeconds"
        statistic   = "Maximum"
        dimensions  = local.own
        period_s    = 900 # longer than from one sweep to the next
        threshold   = 172800
      }
      blocked-queue = {
        description = "A Batch job can't start and blocks the queue: its statusReason says why"
        namespace   = "AWS/Events"
        metric      = "TriggeredRules"
        statistic   = "Sum"
        dimensions  = { RuleName = var.blocked_rule }
      }
      api-5xx = {
        description = "The API answered 5xx: see its log group, and the functions'"
        namespace   = "AWS/ApiGateway"
        metric      = "5XXError"
        statistic   = "Sum"
        dimensions  = { ApiName = var.api, Stage = var.stage }
      }
    },
    # What the failures could not do is a dead letter.
    { for function, name in var.functions : "${function}-errors" => {
      description = "The function ${name} failed: see its log group"
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      statistic   = "Sum"
      dimensions  = { FunctionName = name }
    } if function != "failures" },
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
  period              = lookup(each.value, "period_s", 300)
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = lookup(each.value, "threshold", 0)
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
        { title = "Jobs", stat = "Sum", metrics = [for metric in ["JobsSucceeded", "JobsFailed", "JobsRefused", "JobsCancelled"] : ["fanfold", metric, "deployment", var.name]] },
        { title = "Slices", stat = "Sum", metrics = [["fanfold", "Slices", "deployment", var.name]] },
        { title = "Open jobs, seconds that the oldest is open", stat = "Maximum", metrics = [["fanfold", "OpenJobs", "deployment", var.name], ["fanfold", "OldestOpenJobSeconds", "deployment", var.name, { yAxis = "right" }]] },
        { title = "Estimated cost of ended jobs, USD", stat = "Sum", metrics = [["fanfold", "Usd", "deployment", var.name]] },
        { title = "Calls", stat = "Sum", metrics = [["AWS/ApiGateway", "Count", "ApiName", var.api, "Stage", var.stage], [".", "4XXError", ".", ".", ".", "."], [".", "5XXError", ".", ".", ".", "."]] },
        { title = "Blocked queue, dead letters", stat = "Maximum", metrics = [["AWS/Events", "TriggeredRules", "RuleName", var.blocked_rule], ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letters_queue]] },
        { title = "Functions: errors and throttles", stat = "Sum", metrics = [for pair in setproduct(["Errors", "Throttles"], values(var.functions)) : ["AWS/Lambda", pair[0], "FunctionName", pair[1]]] },
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
