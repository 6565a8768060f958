# Where slices are computed: a queue over Fargate, and a job definition for each phase.

locals {
  # Wrong use, bad input, a bad plan, results that don't hold: again would end the same.
  final_exit_codes = ["2", "3", "6", "7"]
}

resource "aws_cloudwatch_log_group" "containers" {
  #checkov:skip=CKV_AWS_158:no genome is in the logs; CloudWatch encrypts them with a key of its own
  name              = "/aws/batch/${var.name}"
  retention_in_days = var.log_retention_days
}

# Both always exist, for neither costs anything while it is empty: Batch can't change the type of one,
# and its jobs would be lost if it were replaced. The role that Batch itself acts by is the account's
# AWSServiceRoleForBatch.
resource "aws_batch_compute_environment" "this" {
  for_each = { on-demand = "FARGATE", spot = "FARGATE_SPOT" }
  name     = "${var.name}-${each.key}"
  type     = "MANAGED"

  compute_resources {
    type               = each.value
    max_vcpus          = var.max_vcpus
    subnets            = var.subnet_ids
    security_group_ids = var.security_group_ids
  }
}

resource "aws_batch_job_queue" "this" {
  name     = var.name
  state    = "ENABLED"
  priority = 1

  # What spare capacity has no room for overflows to the second.
  dynamic "compute_environment_order" {
    for_each = var.spot ? ["spot", "on-demand"] : ["on-demand"]
    content {
      order               = compute_environment_order.key + 1
      compute_environment = aws_batch_compute_environment.this[compute_environment_order.value].arn
    }
  }

  # A job that can never start ends, and is told of, instead of waiting for ever.
  job_state_time_limit_action {
    reason           = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    state            = "RUNNABLE"
    action           = "CANCEL"
    max_time_seconds = 600
  }

  job_state_time_limit_action {
    reason           = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    state            = "RUNNABLE"
    action           = "CANCEL"
    max_time_seconds = 600
  }

  job_state_time_limit_action {
    reason           = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    state            = "RUNNABLE"
    action           = "CANCEL"
    max_time_seconds = 43200
  }
}

resource "aws_batch_job_definition" "phase" {
  for_each              = var.phases
  name                  = "${var.name}-${each.key}"
  type                  = "container"
  platform_capabilities = ["FARGATE"]
  parameters            = { plan = "none" }
  propagate_tags        = true

  # Jobs that are open when a new image comes end with the revision that they began with.
  deregister_on_new_revision = false

  container_properties = jsonencode({
    image   = var.image
    command = concat([each.key, "Ref::plan"], each.value.options)
    environment = [
      { name = "AWS_REGION", value = var.region },
      { name = "FANFOLD_LOG", value = "json" },
    ]
    # As PID 1 the program would ignore SIGTERM until it handles it.
    linuxParameters  = { initProcessEnabled = true }
    jobRoleArn       = aws_iam_role.containers.arn
    executionRoleArn = aws_iam_role.execution.arn
    resourceRequirements = [
      { type = "VCPU", value = each.value.vcpu },
      { type = "MEMORY", value = each.value.memory_mb },
    ]
    fargatePlatformConfiguration = { platformVersion = "LATEST" }
    runtimePlatform = {
      cpuArchitecture       = var.architecture == "arm64" ? "ARM64" : "X86_64"
      operatingSystemFamily = "LINUX"
    }
    networkConfiguration = { assignPublicIp = var.assign_public_ip ? "ENABLED" : "DISABLED" }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.containers.name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  })

  # The first condition that holds decides. The last: an interruption, a failed start, a signal,
  # a store that didn't answer.
  retry_strategy {
    attempts = 3

    dynamic "evaluate_on_exit" {
      for_each = local.final_exit_codes
      content {
        on_exit_code = evaluate_on_exit.value
        action       = "EXIT"
      }
    }

    evaluate_on_exit {
      on_reason = "*"
      action    = "RETRY"
    }
  }

  timeout {
    attempt_duration_seconds = each.value.timeout_s
  }
}
