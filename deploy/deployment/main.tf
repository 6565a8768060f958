# Written by deploy.sh, which replaces it. Own settings go into terraform.tfvars, a backend into backend.tf.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.62"
    }
  }
}

variable "account" {
  description = "The account that this deployment is in."
  type        = string
  nullable    = false
}

variable "region" {
  description = "The region that this deployment is in."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource, beside application."
  type        = map(string)
  default     = {}
  nullable    = false
}

# Credentials of another account end in an error, not in a second deployment.
provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]

  default_tags {
    tags = merge({ application = var.name }, var.tags)
  }
}
