# Capacity, processors, retries.

mock_provider "aws" {}

# The provider checks ARNs, of mocked resources too.
override_resource {
  target = aws_batch_compute_environment.this["on-demand"]
  values = { arn = "arn:aws-xx:batch:xx-one-1:111122223333:compute-environment/on-demand" }
}

override_resource {
  target = aws_batch_compute_environment.this["spot"]
  values = { arn = "arn:aws-xx:batch:xx-one-1:111122223333:compute-environment/spot" }
}

variables {
  name = "fanfold"
  phases = {
    task = { options = [], vcpu = "0.25", memory_mb = "512", timeout_s = 3600 }
    fold = { options = ["--quiet"], vcpu = "4", memory_mb = "16384", timeout_s = 14400 }
  }
  partition          = "aws-xx"
  account            = "111122223333"
  region             = "xx-one-1"
  image              = "registry.example/fanfold@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  architecture       = "x86_64"
  repository_arn     = "arn:aws-xx:ecr:xx-one-1:111122223333:repository/fanfold"
  bucket             = "results"
  read_genomes       = []
  use_key            = []
  subnet_ids         = ["subnet-1"]
  security_group_ids = ["sg-1"]
  assign_public_ip   = false
  spot               = false
  max_vcpus          = 64
  log_retention_days = 30
}

run "on_demand_x86" {
  module {
    source = "./modules/batch"
  }

  assert {
    condition     = aws_batch_job_queue.this.compute_environment_order[*].compute_environment == tolist([aws_batch_compute_environment.this["on-demand"].arn])
    error_message = "Containers run on spare capacity, unasked."
  }

  assert {
    condition = alltrue([for definition in aws_batch_job_definition.phase :
      jsondecode(definition.container_properties).runtimePlatform.cpuArchitecture == "X86_64"
    ])
    error_message = "The processor isn't the image's."
  }

  assert {
    condition = alltrue([for definition in aws_batch_job_definition.phase : (
      [for condition in definition.retry_strategy[0].evaluate_on_exit : condition.on_exit_code if lower(condition.action) == "exit"] == ["2", "3", "6", "7"]
      && length(definition.retry_strategy[0].evaluate_on_exit) <= 5
      && lower(definition.retry_strategy[0].evaluate_on_exit[4].action) == "retry"
    )])
    error_message = "Bad input is tried again, or an interruption isn't."
  }
}

run "spot_arm_with_addresses" {
  module {
    source = "./modules/batch"
  }

  variables {
    architecture     = "arm64"
    spot             = true
    assign_public_ip = true
  }

  assert {
    condition     = aws_batch_job_queue.this.compute_environment_order[*].compute_environment == tolist([for type in ["spot", "on-demand"] : aws_batch_compute_environment.this[type].arn])
    error_message = "Containers don't run on spare capacity first."
  }

  assert {
    condition = alltrue([for definition in aws_batch_job_definition.phase : (
      jsondecode(definition.container_properties).runtimePlatform.cpuArchitecture == "ARM64"
      && jsondecode(definition.container_properties).networkConfiguration.assignPublicIp == "ENABLED"
    )])
    error_message = "The processor isn't the image's, or a container has no address."
  }
}
