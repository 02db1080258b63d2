"""What runs on AWS: the handler of the Lambda function."""
