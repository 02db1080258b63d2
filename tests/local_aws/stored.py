"""What moto's S3 and Glue hold, seen from inside: no request, no copy over the network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID

REGION = "us-east-1"


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket: its URI, entity tag and size in bytes."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// URI."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def has_bucket(bucket: str) -> bool:
    return bucket in _s3().buckets


def found(uri: str) -> StoredObject | None:
    """The object at a URI, if there is one."""
    bucket, key = split_uri(uri)
    if not has_bucket(bucket):
        return None
    return _described(bucket, key, _s3().buckets[bucket].keys.get(key))


def below(uri: str) -> Iterator[StoredObject]:
    """The objects whose URIs begin so, sorted."""
    bucket, prefix = split_uri(uri)
    if not has_bucket(bucket):
        return
    held = _s3().buckets[bucket].keys
    # Others may write meanwhile: the names are taken at once.
    for key in sorted(key for key in list(held) if key.startswith(prefix)):
        described = _described(bucket, key, held.get(key))
        if described:
            yield described


def content(uri: str) -> bytes:
    """The bytes of an object. Raises KeyError where there is none."""
    bucket, key = split_uri(uri)
    item = _s3().buckets[bucket].keys.get(key)
    if not hasattr(item, "etag"):
        raise KeyError(uri)
    value: bytes = item.value
    return value


def put(bucket: str, key: str, body: bytes) -> None:
    """Write an object, whatever was there."""
    _s3().put_object(bucket, key, body)


def table(database: str, name: str) -> dict[str, Any] | None:
    """A table of the Glue catalog as GetTable describes it."""
    held = _glue().databases.get(database)
    found_table = held and held.tables.get(name)
    described: dict[str, Any] | None = found_table.as_dict() if found_table else None
    return described


def drop_table(database: str, name: str) -> None:
    """Take a table out of the Glue catalog, if it is there."""
    held = _glue().databases.get(database)
    if held:
        held.tables.pop(name, None)


def databases() -> list[str]:
    """The names of the Glue catalog's databases."""
    return sorted(_glue().databases)


def glue() -> Any:
    """moto's Glue."""
    return _glue()


def forget_everything() -> None:
    """Take moto back to its beginnings."""
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()


def _described(bucket: str, key: str, item: Any) -> StoredObject | None:
    """An object as it is kept; in a versioned bucket it may be but a mark that it was deleted."""
    if not hasattr(item, "etag"):
        return None
    return StoredObject(bucket, key, item.etag.strip('"'), item.size)


def _s3() -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _glue() -> Any:
    from moto.glue.models import glue_backends

    return glue_backends[DEFAULT_ACCOUNT_ID][REGION]
