# What a role needs to read genomes, and to use the bucket's key: statements, for the roles of the
# containers and of the functions.

locals {
  # The project's own input/ first.
  sources = concat(
    [{ bucket = aws_s3_bucket.this.bucket, prefix = "input/", kms_key_arn = null }],
    var.source_buckets,
  )

  # Listing is what makes S3 answer 404 for a missing key. A condition on the prefix takes that away,
  # for reads have no s3:prefix: 403 in others' buckets, of which no more is listed than is read.
  read_genomes = concat(
    [{
      Sid      = "ReadGenomes"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = [for source in local.sources : "arn:${var.partition}:s3:::${source.bucket}/${source.prefix}*"]
    }],
    [for source in var.source_buckets : merge(
      {
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:${var.partition}:s3:::${source.bucket}"
      },
      source.prefix == "" ? {} : { Condition = { StringLike = { "s3:prefix" = "${source.prefix}*" } } },
    )],
    [for key in distinct(compact(var.source_buckets[*].kms_key_arn)) : {
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = key
      Condition = local.through_s3
    }],
  )

  use_key = [for key in compact([var.kms_key_arn]) : {
    Sid       = "UseTheBucketsKey"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = key
    Condition = local.through_s3
  }]

  through_s3 = { StringLike = { "kms:ViaService" = "s3.${var.region}.*" } }
}
