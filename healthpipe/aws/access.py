"""How AWS is reached, and what Athena is told: plain settings, for the command line, too."""

from dataclasses import dataclass, field

DATABASE, WORKGROUP = "healthpipe", "primary"


@dataclass(frozen=True)
class AwsAccess:
    """With whose credentials, in which region, and what each request to S3 carries.

    Without `region` and `profile` boto3's own rules apply. `kms_key` encrypts what is written
    (SSE-KMS), `bucket_owner` is the account id that has to own the buckets.
    """

    region: str | None = None
    profile: str | None = None
    kms_key: str | None = None
    bucket_owner: str | None = None


@dataclass(frozen=True)
class AthenaSettings:
    """Where queries run. `output` is where Athena keeps results, an s3:// URI, unless the workgroup
    says so; `max_bytes_scanned` ends a run that has scanned more.
    """

    access: AwsAccess = field(default_factory=AwsAccess)
    database: str = DATABASE
    workgroup: str = WORKGROUP
    output: str | None = None
    max_bytes_scanned: int | None = None
