"""AWS on this machine, for tests: S3, Glue, SNS, SQS and STS from moto, and an Athena that runs
its queries, all behind one port.
"""

from tests.local_aws.server import LocalAws, local_aws

__all__ = ["LocalAws", "local_aws"]
