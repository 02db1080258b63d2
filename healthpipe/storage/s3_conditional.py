"""Writes to S3 that happen only if the object is still the one that was seen."""

import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from healthpipe.aws.errors import Kind, kind_of, name_of, translated
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.s3.requests import Place, Requests, pauses, plain_etag, quoted_etag

# Metadata of an object: which of our writes made it.
NONCE = "healthpipe-nonce"
# Another conditional write was under way: https://docs.aws.amazon.com/AmazonS3/latest/userguide/
# conditional-writes.html#conditional-error-response
_CONFLICT = {"ConditionalRequestConflict", "409"}


def put_if(requests: Requests, place: Place, content: bytes, etag: str | None) -> str:
    """Write an object if it still has `etag`; None: if there is none. Returns the new ETag.

    An answer may get lost, and the next attempt is then refused because of the first one. So each
    write carries a nonce, and an object that carries it shows that the write was done. Raises
    `PreconditionFailed`.
    """
    nonce = uuid.uuid4().hex
    wanted: dict[str, Any] = {
        **requests.written,
        **({"IfNoneMatch": "*"} if etag is None else {"IfMatch": quoted_etag(etag)}),
        "Metadata": {NONCE: nonce},
    }
    failure: Exception | None = None
    for _ in pauses():
        try:
            answer = requests.s3.put_object(
                Bucket=place.bucket, Key=place.key, Body=content, **wanted
            )
            return plain_etag(answer["ETag"])
        except (ClientError, BotoCoreError) as error:
            failure = error
        if name_of(failure) not in _CONFLICT:
            break
    assert failure is not None
    written = _written_with(requests, place, nonce)
    if written:
        return written
    if name_of(failure) not in _CONFLICT and kind_of(failure) in {Kind.CHANGED, Kind.NOT_FOUND}:
        raise PreconditionFailed(place.uri) from failure
    raise translated(failure, "s3:PutObject", place.uri) from failure


def _written_with(requests: Requests, place: Place, nonce: str) -> str | None:
    """The ETag of the object, if it is what the write with this nonce made."""
    try:
        found = requests.s3.head_object(Bucket=place.bucket, Key=place.key, **requests.owned)
    except (ClientError, BotoCoreError):
        return None  # the failure of the write says more
    return plain_etag(found["ETag"]) if found["Metadata"].get(NONCE) == nonce else None
