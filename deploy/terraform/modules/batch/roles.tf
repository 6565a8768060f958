# The containers' own role, and the one by which ECS starts them.

locals {
  bucket_arn = "arn:${var.partition}:s3:::${var.bucket}"

  assumed_by_tasks = {
    Effect    = "Allow"
    Principal = { Service = "ecs-tasks.amazonaws.com" }
    Action    = "sts:AssumeRole"
  }
}

# Roles are the account's, not the region's: the region is in their names.
resource "aws_iam_role" "containers" {
  name = "${var.name}-containers-${var.region}"

  # For tasks of this account alone: ECS serves others too.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(local.assumed_by_tasks, {
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    })]
  })
}

resource "aws_iam_role_policy" "containers" {
  name = "containers"
  role = aws_iam_role.containers.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(var.read_genomes, var.use_key, [
      {
        Sid      = "Results"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = ["${local.bucket_arn}/results/*", "${local.bucket_arn}/chunks/*"]
      },
      {
        Sid      = "ListObjects"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = local.bucket_arn
      },
    ])
  })
}

resource "aws_iam_role" "execution" {
  name = "${var.name}-execution-${var.region}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [local.assumed_by_tasks]
  })
}

resource "aws_iam_role_policy" "execution" {
  name = "execution"
  role = aws_iam_role.execution.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "LogIn"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*" # it has no resource
      },
      {
        Sid      = "Pull"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.repository_arn
      },
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.containers.arn}:*"
      },
    ]
  })
}
