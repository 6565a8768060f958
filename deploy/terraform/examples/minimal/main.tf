# The least that has to be said: the image by digest, and where the functions' zips are.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.62"
    }
  }
}

# The region is the provider's own: AWS_REGION, or the profile's.
provider "aws" {
  default_tags {
    tags = { application = "fanfold" }
  }
}

variable "image" {
  description = "The container, by digest: repository@sha256:…"
  type        = string
}

variable "functions_dir" {
  description = "The folder of the functions' zips."
  type        = string
}

module "fanfold" {
  source = "../../"

  image         = var.image
  functions_dir = var.functions_dir
}

output "starter_api_url" {
  description = "Where a genome is posted."
  value       = module.fanfold.starter_api_url
}

output "bucket" {
  description = "Where genomes and results are."
  value       = module.fanfold.bucket
}
