"""Read input files for an engine: local copies for DuckDB, objects on S3 in place for Athena.

Standard input and pipes, which can be read once only, are spooled to a file.
"""

import contextlib
import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from healthpipe.aws.session import AwsAccess
from healthpipe.cancellation import raise_if_cancelled, wait_for_bytes
from healthpipe.choices import EngineName
from healthpipe.errors import StreamBroken
from healthpipe.ingest.content import Content
from healthpipe.ingest.manifest import STANDARD_INPUT, InputFile, is_visible
from healthpipe.ingest.packing import CHUNK_BYTES, DEFAULT_LIMITS, Codec, Limits, Reader
from healthpipe.storage import is_s3, open_storage
from healthpipe.storage.base import Progress
from healthpipe.storage.scratch import local_copies

# Trino's reader unpacks by these suffixes, whatever is in the file:
# https://github.com/trinodb/trino/blob/476/lib/trino-hive-formats (CompressionKind)
CODECS = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate", ".lzo", ".lzop")
# Characters of names that a manifest with one URI on each line cannot hold.
UNLISTABLE = frozenset("\n\r\x01")


class FileReader(ABC):
    """Reads the files of a run, on behalf of one engine."""

    # How many files are ingested at a time; None: by the number of this machine's processors.
    threads: int | None = None

    def __init__(self, access: AwsAccess, limits: Limits = DEFAULT_LIMITS) -> None:
        self._access = access
        self._limits = limits

    @abstractmethod
    def fetch(self, uris: Sequence[str], progress: Progress) -> None:
        """Copy files to this machine, if the engine needs them here.

        `progress` is called while bytes are fetched. Raises `ServiceFailed`, `ObjectMissing` and
        `InputChanged`.
        """

    @abstractmethod
    def content(self, uri: str) -> Content:
        """Return the content of a file, which may be unpacked within the limits."""

    @abstractmethod
    def is_in_place(self, uri: str, content: Content) -> bool:
        """Whether the engine can read the newline-delimited lines of a file in place."""


class LocalReader(FileReader):
    """For an engine on this machine: objects of S3 are copied here first, whole."""

    def __init__(self, access: AwsAccess, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(access, limits)
        self._copies = dict[str, Path]()

    def fetch(self, uris: Sequence[str], progress: Progress) -> None:
        self._copies |= zip(uris, local_copies(uris, self._access, progress), strict=True)

    def content(self, uri: str) -> Content:
        copy = self._copies.get(uri) or local_copies([uri], self._access)[0]
        return Content.of(copy, self._limits)

    def content_of(self, file: InputFile) -> Content:
        """The content of a file of a manifest, also of one in an archive."""
        content = self.content(file.uri)
        if file.member is None:
            return content
        from healthpipe.ingest.archives import open_member

        return Content(partial(open_member, content, file.member), self._limits)

    def is_in_place(self, uri: str, content: Content) -> bool:
        # The reader trusts the suffix, and knows names in UTF-8 only.
        return _agrees(uri.lower(), content) and _is_utf8(uri)


class S3Reader(FileReader):
    """For Athena, which reads from S3 alone: of a plain file ingest reads only the beginning."""

    threads = 16

    def fetch(self, uris: Sequence[str], progress: Progress) -> None:
        """Do nothing: the engine reads them in place."""

    def content(self, uri: str) -> Content:
        return Content(partial(open_storage(uri, self._access).open, uri), self._limits)

    def is_in_place(self, uri: str, content: Content) -> bool:
        if not is_s3(uri) or not is_visible(uri.rpartition("/")[2]) or UNLISTABLE & set(uri):
            return False
        return _agrees(uri.lower(), content) and content.packing == _packing(uri)


def _agrees(name: str, content: Content) -> bool:
    """Whether what an engine unpacks by the suffix of a name is what the content is packed in.

    And whether it knows the ends of its lines.
    """
    is_packed_alike = content.packing == _packing(name) and not name.endswith(CODECS[1:])
    return content.is_utf_8 and is_packed_alike and not content.has_separators_alone


def _packing(name: str) -> tuple[Codec, ...]:
    return (Codec.GZIP,) if name.endswith(CODECS[0]) else ()


def open_reader(
    engine: EngineName, access: AwsAccess, limits: Limits = DEFAULT_LIMITS
) -> FileReader:
    """Create the reader for an engine."""
    reader = S3Reader if engine is EngineName.ATHENA else LocalReader
    return reader(access, limits)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def spool(uri: str, target: Path) -> None:
    """Copy standard input or a pipe to a local file, all of it or nothing.

    Raises `StreamBroken` where an earlier attempt has read a part of them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    if part.exists():
        raise StreamBroken(uri)
    with _open_unbuffered(uri) as reader, part.open("xb") as writer:
        # Opening a pipe swallows what a signal's handler raises meanwhile.
        raise_if_cancelled()
        while chunk := _read_chunk(reader):
            writer.write(chunk)
            raise_if_cancelled()
    part.rename(target)


def _read_chunk(reader: Reader) -> bytes:
    """Read the next bytes, and wait for them so that no signal is missed."""
    if isinstance(reader, io.FileIO):
        wait_for_bytes(reader.fileno())
    return reader.read(CHUNK_BYTES)


def _open_unbuffered(uri: str) -> contextlib.AbstractContextManager[Reader]:
    """Open standard input or a pipe without a buffer."""
    if uri != STANDARD_INPUT:
        return Path(uri).open("rb", buffering=0)
    try:
        # Not its buffer: a thread that waits in there holds a lock that the process ends on.
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except (AttributeError, io.UnsupportedOperation):
        return contextlib.nullcontext(sys.stdin.buffer)
