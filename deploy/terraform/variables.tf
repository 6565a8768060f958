# --- What runs ---------------------------------------------------------------------------------

variable "name" {
  description = "What every resource is called, or begins with."
  type        = string
  default     = "fanfold"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "The name \"${var.name}\" can't be used: 2 to 24 lower-case letters, digits and hyphens, a letter first, no hyphen last."
  }
}

variable "image" {
  description = "The container, by digest: repository@sha256:…"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@[:space:]]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "The image \"${var.image}\" isn't given by its digest: repository@sha256: and 64 hexadecimal digits. A tag may move, and results name the image they came from."
  }
}

variable "architecture" {
  description = "What the functions' zips and the image were built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture \"${var.architecture}\" isn't one of x86_64, arm64."
  }
}

variable "functions_dir" {
  description = "The folder of the functions' zips: starter.zip, chunker.zip, aggregator.zip, status.zip, failures.zip, sweep.zip."
  type        = string
  nullable    = false
}

# --- Data --------------------------------------------------------------------------------------

variable "bucket_name" {
  description = "The bucket that is created; null: <name>-<account>-<region>."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "The bucket_name can't be used: 3 to 63 lower-case letters, digits and hyphens, no hyphen first or last."
  }
}

variable "source_buckets" {
  description = "Where genomes may be read besides input/ of the bucket: prefixes of other buckets of the region. A prefix ends in a slash; an empty one is the whole bucket. kms_key_arn: the key that encrypts the bucket."
  type = list(object({
    bucket      = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for source in var.source_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", source.bucket))])
    error_message = "A bucket of source_buckets isn't the name of a bucket; it is given without s3://."
  }

  validation {
    condition     = alltrue([for source in var.source_buckets : can(regex("^$|^[^/*?$][^*?$]*/$", source.prefix))])
    error_message = "A prefix of source_buckets must be empty or end in a slash; none may begin with a slash, or hold *, ? or $."
  }
}

variable "kms_key_arn" {
  description = "The KMS key that encrypts the bucket; null: keys that S3 manages (SSE-S3)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "The kms_key_arn must be the ARN of a key: arn:<partition>:kms:<region>:<account>:key/<id>. An alias has no permissions of its own."
  }
}

variable "versioning" {
  description = "Whether the bucket keeps what is overwritten or deleted, for a month."
  type        = bool
  default     = false
  nullable    = false
}

variable "chunk_expiry_days" {
  description = "After how many days copies of slices are removed that a failed job left in chunks/."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.chunk_expiry_days >= 2 && floor(var.chunk_expiry_days) == var.chunk_expiry_days
    error_message = "The chunk_expiry_days must be a whole number from 2: a job may run for more than a day."
  }
}

variable "max_object_bytes" {
  description = "Larger genomes are refused."
  type        = number
  default     = 1099511627776
  nullable    = false

  validation {
    condition     = var.max_object_bytes > 0 && floor(var.max_object_bytes) == var.max_object_bytes
    error_message = "The max_object_bytes must be a whole number of bytes, above 0."
  }
}

variable "least_slice_bytes" {
  description = "The smallest slice; a request for smaller ones gets these. A container is billed for a minute, whatever it scans."
  type        = number
  default     = 8388608
  nullable    = false

  validation {
    condition     = var.least_slice_bytes >= 1 && floor(var.least_slice_bytes) == var.least_slice_bytes
    error_message = "The least_slice_bytes must be a whole number of bytes, above 0."
  }
}

variable "max_text_bytes" {
  description = "Archives that inflate to more are refused."
  type        = number
  default     = 4398046511104
  nullable    = false

  validation {
    condition     = var.max_text_bytes > 0 && floor(var.max_text_bytes) == var.max_text_bytes
    error_message = "The max_text_bytes must be a whole number of bytes, above 0."
  }
}

variable "delete_data" {
  description = "Whether destroy may delete a bucket that holds objects."
  type        = bool
  default     = false
  nullable    = false
}

# --- Network -----------------------------------------------------------------------------------

variable "network" {
  description = "Where the containers run. public: subnets with an internet gateway, nothing comes in; a container's address has a price while it runs. private: subnets that reach nothing but AWS, through endpoints that have a price by the hour. own: subnet_ids and security_group_ids, which reach S3, ECR and CloudWatch Logs."
  type        = string
  default     = "public"
  nullable    = false

  validation {
    condition     = contains(["private", "public", "own"], var.network)
    error_message = "The network \"${var.network}\" isn't one of private, public, own."
  }
}

variable "vpc_cidr" {
  description = "The addresses of the network that is created; each container takes one."
  type        = string
  default     = "10.42.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 24, false)
    error_message = "The vpc_cidr must be an IPv4 network of /16 to /24, such as 10.42.0.0/16."
  }
}

variable "subnet_ids" {
  description = "For network = \"own\": where the containers run."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (var.network == "own") == (length(var.subnet_ids) > 0)
    error_message = "The subnet_ids belong to network = \"own\", which needs at least one; network is \"${var.network}\"."
  }
}

variable "security_group_ids" {
  description = "For network = \"own\": the containers' security groups."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (var.network == "own") == (length(var.security_group_ids) > 0)
    error_message = "The security_group_ids belong to network = \"own\", which needs at least one; network is \"${var.network}\"."
  }
}

# --- Capacity and cost -------------------------------------------------------------------------

variable "spot" {
  description = "Whether containers run on spare capacity while there is some: about 70 % cheaper, interrupted now and then, and started again. What it has no room for runs on demand."
  type        = bool
  default     = false
  nullable    = false
}

variable "max_vcpus" {
  description = "How many vCPUs may run at once, with spot on spare capacity and on demand each; slices beyond wait. The account's Fargate quotas bound it too."
  type        = number
  default     = 64
  nullable    = false

  validation {
    condition     = var.max_vcpus >= 4 && floor(var.max_vcpus) == var.max_vcpus
    error_message = "The max_vcpus must be a whole number from 4: the container that folds a large genome takes 4."
  }
}

variable "prices" {
  description = "USD for an hour of a Fargate vCPU and of a GB of its memory, for the estimates in answers; null: those of us-east-1 for the architecture, on demand."
  type = object({
    vcpu_hour = number
    gb_hour   = number
  })
  default = null

  validation {
    condition     = var.prices == null || try(var.prices.vcpu_hour >= 0 && var.prices.gb_hour >= 0, false)
    error_message = "The prices can't be negative."
  }
}

variable "max_usd_per_job" {
  description = "Jobs whose estimate is higher are refused, in USD."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.max_usd_per_job > 0
    error_message = "The max_usd_per_job must be above 0."
  }
}

variable "max_open_jobs" {
  description = "While so many jobs are open, further ones are refused."
  type        = number
  default     = 10000
  nullable    = false

  validation {
    condition     = var.max_open_jobs >= 1 && floor(var.max_open_jobs) == var.max_open_jobs
    error_message = "The max_open_jobs must be a whole number from 1."
  }
}

variable "inflated_here_bytes" {
  description = "The largest archive that the chunker inflates itself; larger ones are a Batch job."
  type        = number
  default     = 268435456
  nullable    = false

  validation {
    condition     = var.inflated_here_bytes >= 0 && floor(var.inflated_here_bytes) == var.inflated_here_bytes
    error_message = "The inflated_here_bytes must be a whole number of bytes."
  }
}

variable "folded_here_bytes" {
  description = "The most bytes of rows that the aggregator folds itself; more are a Batch job. Its memory takes 220 MiB."
  type        = number
  default     = 230686720
  nullable    = false

  validation {
    condition     = var.folded_here_bytes >= 0 && floor(var.folded_here_bytes) == var.folded_here_bytes
    error_message = "The folded_here_bytes must be a whole number of bytes."
  }
}

# --- API ---------------------------------------------------------------------------------------

variable "account_concurrency" {
  description = "The account's Lambda concurrency: how many requests and chunkers at once it bears."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.account_concurrency >= 1 && floor(var.account_concurrency) == var.account_concurrency
    error_message = "The account_concurrency must be a whole number from 1."
  }
}

variable "api_rate" {
  description = "How many requests a second the API takes; null: three times the account_concurrency, at most 100."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.api_rate, 1) >= 1
    error_message = "The api_rate must be 1 or more."
  }
}

variable "api_burst" {
  description = "How many requests at once the API takes; null: twice the api_rate."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.api_burst, 1) >= 1 && floor(coalesce(var.api_burst, 1)) == coalesce(var.api_burst, 1)
    error_message = "The api_burst must be a whole number from 1."
  }
}

variable "api_logs" {
  description = "Whether the account's API Gateway has a role to write logs by, so that calls and errors of the API are logged. It is one setting for the whole account and region."
  type        = bool
  default     = false
  nullable    = false
}

# --- Operation ---------------------------------------------------------------------------------

variable "log_retention_days" {
  description = "How long logs are kept; 0: for ever."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "The log_retention_days must be one of 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic that hears of alarms; null: alarms are seen in CloudWatch alone."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.alarm_topic_arn))
    error_message = "The alarm_topic_arn must be the ARN of an SNS topic: arn:<partition>:sns:<region>:<account>:<name>."
  }
}
