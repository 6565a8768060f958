# Encryption, versions, expiry, and what may be read.

mock_provider "aws" {}

variables {
  name              = "fanfold"
  partition         = "aws-xx"
  region            = "xx-one-1"
  bucket_name       = "results"
  kms_key_arn       = null
  source_buckets    = []
  versioning        = false
  chunk_expiry_days = 7
  delete_data       = false
}

run "keys_of_s3" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "The bucket isn't encrypted by S3."
  }

  assert {
    condition     = length(output.use_key) == 0 && length(aws_s3_bucket_versioning.this) == 0
    error_message = "A key, or versions, nobody asked for."
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id if rule.status == "Enabled"] == ["chunks", "unfinished-uploads", "old-versions"]
    error_message = "What is left behind doesn't expire."
  }

  assert {
    condition     = output.sources[0].prefix == "input/" && output.read_genomes[0].Resource == ["arn:aws-xx:s3:::results/input/*"]
    error_message = "More than input/ may be read, or not even that."
  }
}

run "a_key_of_ones_own" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    kms_key_arn    = "arn:aws-xx:kms:xx-one-1:111122223333:key/1"
    versioning     = true
    source_buckets = [{ bucket = "genomes", prefix = "refseq/", kms_key_arn = "arn:aws-xx:kms:xx-one-1:111122223333:key/2" }]
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == "arn:aws-xx:kms:xx-one-1:111122223333:key/1"
    error_message = "The bucket isn't encrypted with the key."
  }

  assert {
    condition     = output.use_key[0].Resource == "arn:aws-xx:kms:xx-one-1:111122223333:key/1"
    error_message = "The roles may not use the bucket's key."
  }

  assert {
    condition     = [for statement in output.read_genomes : statement.Resource if statement.Action == "kms:Decrypt"] == ["arn:aws-xx:kms:xx-one-1:111122223333:key/2"]
    error_message = "The roles may not decrypt the source bucket."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled"
    error_message = "Old versions aren't kept."
  }
}
