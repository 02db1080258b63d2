"""Which version of an object is there now: asked one by one, or listed where many are wanted."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from healthpipe.aws.errors import failures_told
from healthpipe.cancellation import raise_if_stopping
from healthpipe.storage.s3.requests import Place, Requests, plain_etag
from healthpipe.storage.s3_listing import pages
from healthpipe.storage.uris import WORTH_A_LISTING

QUESTIONS_AT_ONCE = 16
MD5_CHARACTERS = 32


@dataclass(frozen=True)
class Version:
    """One version of an object, written at a second since 1970. `is_md5` tells whether its ETag is
    known to be the MD5 of its content.
    """

    place: Place
    etag: str
    size: int
    modified: int
    is_md5: bool = False

    @classmethod
    def of(cls, place: Place, head: Any) -> "Version":
        """The version that HeadObject answers with.

        The ETag is an MD5 for what was put in one request and not encrypted with a key of KMS:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
        """
        etag = plain_etag(head["ETag"])
        is_md5 = len(etag) == MD5_CHARACTERS and not (
            head.get("ServerSideEncryption", "").startswith("aws:")
            or head.get("SSECustomerAlgorithm")
        )
        modified = int(head["LastModified"].timestamp())
        return cls(place, etag, head["ContentLength"], modified, is_md5)


def versions(requests: Requests, uris: Sequence[str]) -> list[Version]:
    """The versions of objects as they are now, in the order of their URIs.

    Raises `ObjectMissing` for one that is not there.
    """
    folders: dict[str, set[str]] = {}
    for uri in uris:
        folders.setdefault(uri.rpartition("/")[0], set()).add(uri)
    found: dict[str, Version] = {}
    for folder, wanted in folders.items():
        if len(wanted) >= WORTH_A_LISTING:
            found |= _listed(requests, Place.of(folder), wanted)
    rest = [uri for uri in dict.fromkeys(uris) if uri not in found]
    found |= dict(zip(rest, _asked(requests, rest), strict=True))
    return [found[uri] for uri in uris]


def _listed(requests: Requests, folder: Place, wanted: set[str]) -> Iterator[tuple[str, Version]]:
    """Those that a listing shows; it does not tell how an object is encrypted."""
    last = max(Place.of(uri).key.encode() for uri in wanted)
    for page in pages(requests, folder):
        for each in page.get("Contents", []):
            place = Place(folder.bucket, each["Key"])
            if place.uri in wanted:
                modified = int(each["LastModified"].timestamp())
                yield place.uri, Version(place, plain_etag(each["ETag"]), each["Size"], modified)
            if place.key.encode() >= last:  # S3 lists by the bytes of the keys
                return


def _asked(requests: Requests, uris: Sequence[str]) -> list[Version]:
    def version(uri: str) -> Version:
        raise_if_stopping()
        place = Place.of(uri)
        with failures_told("s3:GetObject", uri):
            head = requests.s3.head_object(Bucket=place.bucket, Key=place.key, **requests.owned)
        return Version.of(place, head)

    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as pool:
        futures = [pool.submit(copy_context().run, version, uri) for uri in uris]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
