"""The columns of a Parquet file on S3, of which only the end is read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthpipe.aws.access import AwsAccess
from healthpipe.aws.errors import failures_told
from healthpipe.aws.session import client
from healthpipe.storage.uris import split_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Enough for the footer of most files; of the others it is read a second time.
TAIL_BYTES = 1 << 16
# The last bytes of a Parquet file: the length of its footer, then four letters.
ENDING_BYTES = 8


def fetch_footer(access: AwsAccess, uri: str, path: Path) -> None:
    """Make `path` a file of the size of the Parquet file at `uri` that has its footer alone.

    Where it has no footer the file says so to whoever reads it. The rest is a hole, which takes no
    room on the disk.
    """
    s3 = client("s3", access)
    with failures_told("s3:GetObject", uri):
        tail, size = _tail(s3, access, uri, TAIL_BYTES)
        footer = int.from_bytes(tail[-ENDING_BYTES:-4], "little") + ENDING_BYTES
        if len(tail) < footer <= size:
            tail, size = _tail(s3, access, uri, footer)
    with path.open("wb") as file:
        file.seek(size - len(tail))
        file.write(tail)


def _tail(s3: "S3Client", access: AwsAccess, uri: str, length: int) -> tuple[bytes, int]:
    """The last bytes of an object, and its size."""
    bucket, key = split_s3(uri)
    asked: Any = {"Bucket": bucket, "Key": key}
    if access.bucket_owner:
        asked["ExpectedBucketOwner"] = access.bucket_owner
    answer = s3.get_object(Range=f"bytes=-{length}", **asked)
    content = answer["Body"].read()
    return content, int(answer["ContentRange"].rpartition("/")[2])
