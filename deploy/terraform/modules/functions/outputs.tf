output "functions" {
  description = "By function: name, arn, invoke_arn, role and log_group, the names of both."
  value = {
    for function, made in aws_lambda_function.this : function => {
      name       = made.function_name
      arn        = made.arn
      invoke_arn = made.invoke_arn
      role       = aws_iam_role.function[function].name
      log_group  = aws_cloudwatch_log_group.function[function].name
    }
  }
}
