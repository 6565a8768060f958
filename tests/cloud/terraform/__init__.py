"""The shipped Terraform configuration, planned and applied without an account."""
