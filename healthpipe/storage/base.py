"""What the project needs of a storage."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# How a name begins that holds nothing finished, or nothing any more.
TEMPORARY = ".tmp-"
# How the checksum of a file begins that was copied in parts.
COMPOSITE = "composite:"


@dataclass(frozen=True)
class StoredFile:
    """A file as a listing shows it. `version` changes whenever its content may have.

    `modified` is when it was written last, in seconds since 1970.
    """

    uri: str
    size: int
    version: str
    modified: float


# Told the bytes that came and the bytes that are wanted, in one thread at a time.
Progress = Callable[[int, int], None]


class PreconditionFailed(Exception):
    """The object is not the one that a conditional write was to replace."""


class Storage(ABC):
    """Files under URIs. Nobody ever sees half a file under the URI that it was written to."""

    @abstractmethod
    def list(self, folder: str) -> Iterator[StoredFile]:
        """All files below a folder, at any depth, by name. A missing folder is empty."""

    @abstractmethod
    def folders(self, folder: str) -> Iterator[str]:
        """The URIs of the folders directly in a folder, by name. A missing folder is empty."""

    @abstractmethod
    def stat(self, uri: str) -> StoredFile | None:
        """The file at a URI, if there is one."""

    @abstractmethod
    def age(self, uri: str) -> float | None:
        """The seconds since the file at a URI was written last, by the storage's own clock.

        None if there is no file. S3 tells whole seconds.
        """

    @abstractmethod
    def open(self, uri: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file, to be streamed."""

    @abstractmethod
    def read(self, uri: str) -> tuple[bytes, str] | None:
        """The bytes of a small file and their ETag, or nothing where there is no file."""

    @abstractmethod
    def write(self, uri: str, content: bytes) -> None:
        """Put a small file in place, whole."""

    @abstractmethod
    def put_if(self, uri: str, content: bytes, etag: str | None) -> str:
        """Replace a small file only if it still has `etag`; None: only if there is none.

        Returns the new ETag. Raises `PreconditionFailed`.
        """

    @abstractmethod
    def local_copy(self, uri: str) -> Path:
        """A local file with the content of `uri`, for an engine to read."""

    @abstractmethod
    def local_copies(self, uris: Sequence[str], progress: Progress | None = None) -> Sequence[Path]:
        """Local files with the content of `uris`, in their order; `progress` is told what has to
        be fetched, if anything.
        """

    @abstractmethod
    def deliver(self, local: Path, uri: str) -> None:
        """Put a finished local file in place, whole. The local file is gone afterwards."""

    @abstractmethod
    def deliver_folder(self, local: Path, uri: str) -> None:
        """Put a finished local folder of files in place, on this machine all of them or none.

        It replaces a folder that is there. The local folder is gone afterwards.
        """

    @abstractmethod
    def copy(self, source: str, target: str) -> str:
        """Copy a file within the storage and return its SHA-256 in hexadecimal.

        S3 knows none for a file above 5 GB: `composite:` and what it knows instead.
        """

    @abstractmethod
    def sha256(self, uri: str) -> str:
        """The SHA-256 of a file's content in hexadecimal."""

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Remove a file, if it is there. Raises `ServiceFailed`."""

    @abstractmethod
    def delete_folder(self, folder: str) -> None:
        """Remove a folder with all that is in it, if it is there."""

    @abstractmethod
    def withdraw(self, folder: str) -> None:
        """Remove a folder, if it is there, so that nobody finds half of it under its name.

        What a kill leaves has a name that begins with `.tmp-`. Raises `ServiceFailed`.
        """

    @abstractmethod
    def delete_temporary(self, folder: str, idle_s: float = 0) -> None:
        """Remove what dead writers left below a folder, at any depth, and did not touch for
        `idle_s` seconds.
        """
