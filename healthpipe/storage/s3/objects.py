"""An object of S3 as a stream that goes on after a broken connection."""

import io
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from healthpipe.aws.errors import translated
from healthpipe.cancellation import raise_if_stopping
from healthpipe.errors import ServiceFailed
from healthpipe.storage.s3.requests import Place, Requests, pauses, plain_etag

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

ACTION = "s3:GetObject"
_BROKEN = (BotoCoreError, HTTPError, ConnectionError, TimeoutError)


class ObjectReader(io.RawIOBase):
    """The bytes of one version of an object, from its first to its last.

    A read that breaks off goes on where it broke, a few times, if the object is still the same.
    `etag` and `size` are that version's. Raises `ObjectMissing`, `InputChanged`, `ServiceFailed`.
    """

    def __init__(self, requests: Requests, place: Place) -> None:
        super().__init__()
        self._requests, self._place = requests, place
        self._position = 0
        self._body: Any = None
        self._etag: str | None = None
        answer = self._asked()
        self._body = answer["Body"]
        self.size = answer["ContentLength"]
        self._etag = answer["ETag"]
        self.etag = plain_etag(answer["ETag"])

    def readable(self) -> bool:
        """True: it is there to be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read some bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self.size - self._position)
        failure: Exception | None = None
        for _ in pauses():
            raise_if_stopping()
            try:
                if self._body is None:
                    self._body = self._asked()["Body"]
                # The last read, of nothing, has botocore check the length and the checksum.
                content: bytes = self._body.read(wanted or 1)
            except _BROKEN as error:
                failure = error
            else:
                if content or not wanted:
                    view[: len(content)] = content
                    self._position += len(content)
                    return len(content)
            self._close_body()
            if not wanted:
                break
        raise self._broken(failure) from failure

    def close(self) -> None:
        """Give the connection back."""
        self._close_body()
        super().close()

    def _asked(self) -> "GetObjectOutputTypeDef":
        begun: dict[str, Any] = {}
        if self._position:
            begun = {"Range": f"bytes={self._position}-"}
        if self._etag:
            begun["IfMatch"] = self._etag
        try:
            return self._requests.s3.get_object(
                Bucket=self._place.bucket, Key=self._place.key, **self._requests.owned, **begun
            )
        except ClientError as error:
            raise translated(error, ACTION, self._place.uri) from error
        except BotoCoreError as error:
            if self._etag:
                raise  # to be tried again
            raise translated(error, ACTION, self._place.uri) from error

    def _broken(self, failure: Exception | None) -> Exception:
        if isinstance(failure, BotoCoreError):
            return translated(failure, ACTION, self._place.uri)
        return ServiceFailed(
            f"{self._place.uri} broke off after {self._position} of {self.size} bytes",
            "check the network, then run again",
        )

    def _close_body(self) -> None:
        if self._body is not None:
            self._body.close()
        self._body = None
