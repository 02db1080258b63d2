"""The interface of a storage: files under URIs, which are local paths or s3://bucket/key."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# The prefix of the names of unfinished files and folders, and of those that are being removed.
TEMPORARY = ".tmp-"
# The prefix of the checksum of an object that S3 copied in parts: see `Storage.copy`.
COMPOSITE = "composite:"


@dataclass(frozen=True)
class StoredFile:
    """A file as a listing shows it: `size` in bytes, `modified` in seconds since 1970 (UTC).

    `version` is an opaque text that changes whenever the content may have changed.
    """

    uri: str
    size: int
    version: str
    modified: float


@dataclass(frozen=True)
class StoredChecksum:
    """What a storage knows of a file: `size` in bytes, `checksum` its SHA-256 in hexadecimal.

    Of an object that S3 holds in parts, `composite:` and the checksum of the parts; None where S3
    knows no SHA-256.
    """

    size: int
    checksum: str | None


# Called with the bytes transferred so far and the bytes in all, by one thread at a time.
Progress = Callable[[int, int], None]


class PreconditionFailed(Exception):
    """A conditional write was refused: the object is not the one that it was to replace."""


class Storage(ABC):
    """Files under URIs. Nobody ever sees half a file under the URI that it was written to.

    Methods raise `ServiceFailed` where the disk or the service fails, those of S3 also
    `UsageError` where it refuses access: see `healthpipe.aws.errors`.
    """

    @abstractmethod
    def list(self, folder: str) -> Iterator[StoredFile]:
        """List all files below a folder, at any depth, by name. A missing folder is empty."""

    @abstractmethod
    def folders(self, folder: str) -> Iterator[str]:
        """List the URIs of the folders directly in a folder, by name. A missing one is empty."""

    @abstractmethod
    def stat(self, uri: str) -> StoredFile | None:
        """Return the size, version and time of the file at a URI; None if there is none."""

    @abstractmethod
    def age(self, uri: str) -> float | None:
        """Return the seconds since a file was last written, by the storage's own clock.

        None if there is no file. S3 knows whole seconds only.
        """

    @abstractmethod
    def open(self, uri: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for streaming its bytes. Raises an `OSError` where it is not there."""

    @abstractmethod
    def read(self, uri: str) -> tuple[bytes, str] | None:
        """Read a small file; return its bytes and its ETag, or None if there is no file."""

    @abstractmethod
    def write(self, uri: str, content: bytes) -> None:
        """Write a small file atomically, replacing one that is there."""

    @abstractmethod
    def put_if(self, uri: str, content: bytes, etag: str | None) -> str:
        """Write a small file only if it still has the ETag `etag`; None: only if there is none.

        Returns the new ETag. Raises `PreconditionFailed` if the file is another one.
        """

    @abstractmethod
    def local_copy(self, uri: str) -> Path:
        """Return the path of a local file with the content of `uri`, for an engine to read."""

    @abstractmethod
    def local_copies(self, uris: Sequence[str], progress: Progress | None = None) -> Sequence[Path]:
        """Return the paths of local files with the content of `uris`, in their order.

        `progress` is called while bytes are fetched; never, if none have to be.
        """

    @abstractmethod
    def deliver(self, local: Path, uri: str) -> None:
        """Move a finished local file to `uri` atomically. The local file is gone afterwards."""

    @abstractmethod
    def deliver_folder(self, local: Path, uri: str) -> None:
        """Move a finished local folder of files to `uri`, replacing a folder that is there.

        On this machine all of its files appear or none. The local folder is gone afterwards.
        """

    @abstractmethod
    def copy(self, source: str, target: str) -> str:
        """Copy a file within the storage and return its SHA-256 in hexadecimal.

        S3 knows none for a file above 5 GB: then `composite:` and the checksum that it knows.
        """

    @abstractmethod
    def sha256(self, uri: str) -> str:
        """Return the SHA-256 of a file's content in hexadecimal."""

    @abstractmethod
    def checksum(self, uri: str) -> StoredChecksum | None:
        """Return size and checksum of a file, on S3 without reading it; None if there is none."""

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Delete a file, if it is there."""

    @abstractmethod
    def delete_folder(self, folder: str) -> None:
        """Delete a folder with all that is in it, if it is there."""

    @abstractmethod
    def remove_atomically(self, folder: str) -> None:
        """Remove a folder, if it is there, so that nobody finds half of it under its name.

        What a kill leaves has a name that begins with `.tmp-`: see `delete_temporary`.
        """

    @abstractmethod
    def delete_temporary(self, folder: str, idle_s: float = 0) -> None:
        """Delete what dead writers left below a folder, at any depth.

        With `idle_s` some may be alive that write single files. What these may be writing is left:
        on S3 what is younger than so many seconds, locally what lies where a writer is at work.
        """
