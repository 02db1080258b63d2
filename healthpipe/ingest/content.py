"""The bytes of a file, plain or gzip."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from healthpipe.ingest.lines import CHUNK_BYTES, Reader
from healthpipe.stopping import raise_if_stopping

GZIP_MAGIC = b"\x1f\x8b"
DAMAGED_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class Content:
    """The bytes of a file, which `open` gives from their beginning as often as it is called.

    All raise OSError where it cannot be opened.
    """

    open: Callable[[], AbstractContextManager[BinaryIO]]

    @classmethod
    def of(cls, path: str | Path) -> "Content":
        """That of a file of this machine."""
        return cls(lambda: Path(path).open("rb"))

    @cached_property
    def is_gzip(self) -> bool:
        """Whether it is gzip, by its content."""
        with self.open() as file:
            return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC

    @contextmanager
    def decompressed(self) -> Iterator[Reader]:
        """What it comes to once it is unpacked, where it is packed."""
        with self.open() as file:
            if self.is_gzip:
                with gzip.open(file) as unpacked:
                    yield unpacked
            else:
                yield file

    def is_whole(self) -> bool:
        """Whether a gzip file decompresses to its end with the right checksums."""
        try:
            with self.decompressed() as reader:
                while reader.read(CHUNK_BYTES):
                    raise_if_stopping()
        except DAMAGED_GZIP:
            return False
        return True
