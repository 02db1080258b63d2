"""The files in a ZIP that are read, each a file of its own by the name `a.zip!member`.

They are streamed, and nothing is ever written under a name of the archive.
"""

import io
import lzma
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

from healthpipe.contract import Reason
from healthpipe.ingest.content import Content
from healthpipe.ingest.manifest import OTHER_NAME, OUTSIDE, is_read, is_visible
from healthpipe.ingest.packing import CHUNK_BYTES, FileRefused, Share, Total

_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError)


@dataclass(frozen=True)
class Member:
    """A file in an archive: its content, or the reason why it is rejected."""

    name: str
    content: Content
    refusal: Reason | None = None


@dataclass(frozen=True)
class Archive:
    """The files of an archive that are read; the names of those that are not, each with why."""

    members: tuple[Member, ...]
    skipped: tuple[tuple[str, str], ...]


@contextmanager
def open_archive(content: Content) -> Iterator[Archive]:
    """Open a ZIP while the block runs. Raises `FileRefused` where it is damaged or too large.

    It is refused, too, if it holds no file that is read.
    """
    with content.open() as file:
        seekable = file
        if content.packing or not file.seekable():
            seekable = _spooled(content)
        with seekable, _zip_file(seekable) as opened:
            yield _archive(content, opened)


@contextmanager
def open_member(content: Content, name: str) -> Iterator[BinaryIO]:
    """Open a file of a ZIP by its name. Raises `FileRefused`, and an `OSError` if it is gone."""
    with open_archive(content) as archive:
        found = next((each for each in archive.members if each.name == name), None)
        if found is None or found.refusal:
            raise FileNotFoundError(name)
        with found.content.open() as file:
            yield file


def _spooled(content: Content) -> BinaryIO:
    """A ZIP that cannot be read at random, as a temporary file without a name."""
    spool = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
    with content.unpacked() as reader:
        while chunk := reader.read(CHUNK_BYTES):
            spool.write(chunk)
    spool.seek(0)
    return spool


def _zip_file(file: BinaryIO) -> zipfile.ZipFile:
    """Open a ZIP that is whole. Raises `FileRefused`."""
    try:
        opened = zipfile.ZipFile(file)
    except (*_DAMAGE, NotImplementedError) as error:
        raise FileRefused(Reason.FILE_TRUNCATED) from error
    # What comes before the first file is another archive, which broke off.
    first = min((info.header_offset for info in opened.infolist()), default=0)
    if first:
        raise FileRefused(Reason.FILE_TRUNCATED)
    return opened


def _archive(content: Content, opened: zipfile.ZipFile) -> Archive:
    limits, layers = content.limits, content.layers + len(content.packing) + 1
    entries = opened.infolist()
    limits.require_members(len(entries))
    limits.require_layers(layers)
    members: list[Member] = []
    skipped: list[tuple[str, str]] = []
    names: dict[str, int] = {}
    total, packed = Total(), 0
    for entry in entries:
        if entry.is_dir():
            continue
        name = _unique(entry.filename, names)
        if reason := _why_skipped(entry):
            skipped.append((name, reason))
            continue
        packed += entry.compress_size
        inside = Content(_opener(opened, entry), limits, layers, Share(total, entry.file_size))
        is_encrypted = entry.flag_bits & _ENCRYPTED
        members.append(Member(name, inside, Reason.FILE_ENCRYPTED if is_encrypted else None))
    limits.require_within(total.bytes, packed)
    if not members:
        raise FileRefused(Reason.FILE_ZIP)
    return Archive(tuple(members), tuple(skipped))


def _unique(name: str, names: dict[str, int]) -> str:
    """The name of an entry; a number follows where another one has it, too."""
    names[name] = number = names.get(name, 0) + 1
    return name if number == 1 else _unique(f"{name}#{number}", names)


def _why_skipped(entry: zipfile.ZipInfo) -> str | None:
    """Why an entry is not read, by its name and kind; None if it is."""
    name = entry.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    is_link = stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG)
    if is_link or name.startswith("/") or ":" in "".join(parts[:1]) or ".." in parts:
        return OUTSIDE
    return None if is_read(name) and all(map(is_visible, parts)) else OTHER_NAME


class _EntryReader(io.RawIOBase):
    """The bytes of an entry. Reading raises `FileRefused` where they are damaged."""

    def __init__(self, entry: IO[bytes]) -> None:
        self._entry = entry

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes."""
        try:
            return self._entry.read(size)
        except _DAMAGE as error:
            raise FileRefused(Reason.FILE_TRUNCATED) from error
        except OSError as error:
            if error.errno is None:  # that is how bzip2 tells of damage
                raise FileRefused(Reason.FILE_TRUNCATED) from error
            raise

    def close(self) -> None:
        """Close the entry; the archive stays open."""
        self._entry.close()
        super().close()


def _opener(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    def open_entry() -> BinaryIO:
        try:
            return cast("BinaryIO", _EntryReader(opened.open(entry)))
        except _DAMAGE as error:
            raise FileRefused(Reason.FILE_TRUNCATED) from error
        except (NotImplementedError, RuntimeError) as error:
            raise FileRefused(Reason.FILE_ZIP) from error

    return open_entry
