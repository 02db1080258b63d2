"""Land files that an engine cannot read in place: rewrite them as newline-delimited lines.

A line that no engine could read is landed as `base64 of its bytes, U+0001, reason`; one of more
than 8 MB in a file of its own, as `name of that file, U+0001, too_large`. A file that breaks off
becomes one such line.
"""

import base64
import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from healthpipe.contract import MAX_LINE_BYTES, Reason
from healthpipe.ingest.content import Content
from healthpipe.ingest.formats import FirstLine, Shape, first_line, records_in, records_of_lines
from healthpipe.ingest.json_splitter import InvalidJson, JsonSplitter, TruncatedJson
from healthpipe.ingest.packing import FileRefused
from healthpipe.ingest.unpacking import Record
from healthpipe.storage.base import Storage, StoredFile
from healthpipe.storage.scratch import make_private_file

SET_ASIDE = b"\x01"


def land(content: Content, target: Path) -> int:
    """Rewrite the lines of a file to the local file `target`; returns their number.

    A line that is a container becomes the lines of its records. Lines of more than 8 MB are written
    to files beside it. Raises `FileRefused`.
    """
    with content.decompressed() as reader, _spill(target) as spill:
        return _write_records(records_of_lines(reader, spill), target)


def is_container(content: Content) -> bool:
    """Whether a file may hold its records in another way than a line each, by its first line.

    Raises `FileRefused`.
    """
    return _first_line(content) is not FirstLine.RECORD


def _first_line(content: Content) -> FirstLine:
    with content.decompressed() as reader:
        return first_line(reader)


def land_container(content: Content, target: Path) -> tuple[Shape, int] | None:
    """Rewrite a file that may be a container to the local file `target`, with a record on each
    line.

    Returns its shape and the number of its records; None if it is newline-delimited after all. One
    that breaks off is rejected whole, and none of its records is used, unless it has whole lines.
    Raises `FileRefused`.
    """
    try:
        with open_container(content, target) as (shape, records):
            count = _write_records(records, target)
    except InvalidJson as error:
        is_finished = _first_line(content) is FirstLine.CONTAINER
        if isinstance(error, TruncatedJson) and not is_finished:
            raise FileRefused(Reason.FILE_NOT_JSON) from error
        _delete_large_line_files(target)
        target.unlink(missing_ok=True)
        return (Shape.LINES, land(content, target)) if is_finished else None
    return (Shape.OBJECT if shape is Shape.OBJECTS and count == 1 else shape), count


@contextlib.contextmanager
def open_container(content: Content, beside: Path) -> Iterator[tuple[Shape, Iterator[Record]]]:
    """Open a file that is no newline-delimited one: its shape and its records.

    Files beside the local file `beside` hold for the moment what is too large for memory. Raises
    `InvalidJson`, `TruncatedJson` and `FileRefused`, the iterator as well.
    """
    with contextlib.ExitStack() as stack:
        spill = stack.enter_context(_spill(beside))

        def open_splitter() -> JsonSplitter:
            return JsonSplitter(stack.enter_context(content.decompressed()), spill)

        yield records_in(open_splitter)


def read_records(content: Content, shape: Shape, beside: Path) -> Iterator[Record]:
    """The records of a file that was found to have this shape, and where each stands in it.

    Raises `FileRefused`, and `InvalidJson` where the file has changed meanwhile.
    """
    if shape.has_items:
        with open_container(content, beside) as (_, records):
            yield from records
    else:
        with content.decompressed() as reader, _spill(beside) as spill:
            yield from records_of_lines(reader, spill)


@contextlib.contextmanager
def _spill(target: Path) -> Iterator[Path]:
    """A file beside `target` for what is too large for memory, removed after the block."""
    target.parent.mkdir(parents=True, exist_ok=True)
    spill = target.with_suffix(".spill")
    try:
        yield spill
    finally:
        for path in target.parent.glob(f"{target.stem}.spill*"):
            path.unlink()


def land_rejected(target: Path, reason: Reason) -> None:
    """Write to `target` the one line that stands for a whole file that is rejected."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _delete_large_line_files(target)
    target.write_bytes(SET_ASIDE + reason.encode() + b"\n")


def large_line_files(target: Path) -> list[Path]:
    """The files beside a landed file that hold its lines of more than 8 MB."""
    return sorted(target.parent.glob(f"{target.stem}-*.bin"))


def _delete_large_line_files(target: Path) -> None:
    for path in large_line_files(target):
        path.unlink()


def _large_line_reference(kept: Path) -> bytes:
    """The line that refers to the file of a large line."""
    return f"landed/{kept.name}".encode() + SET_ASIDE + Reason.TOO_LARGE.encode()


def _write_records(records: Iterable[Record], target: Path) -> int:
    """Write records on a line each, large ones to files of their own; returns their number."""
    count, large = 0, itertools.count(1)
    with target.open("wb") as writer:
        for record in records:
            value = record.value
            count += 1
            if isinstance(value, bytes) and len(value) <= MAX_LINE_BYTES:
                writer.write(_landed_line(value) + b"\n")
                continue
            kept = target.with_name(f"{target.stem}-{next(large)}.bin")
            if isinstance(value, Path):
                value.rename(kept)
            else:
                make_private_file(kept).write_bytes(value)
            writer.write(_large_line_reference(kept) + b"\n")
    return count


def _landed_line(content: bytes) -> bytes:
    """A line as it is landed: itself if an engine can read it, else base64 with the reason."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(content) + SET_ASIDE + Reason.NOT_UTF8.encode()
    if SET_ASIDE in content:
        return base64.b64encode(content) + SET_ASIDE + Reason.NOT_JSON.encode()
    return content


REWRITTEN = ".ndjson"  # the suffix of landed files that are rewritten from others


@dataclass(frozen=True)
class LandingFolder:
    """Where landed files are kept: written to the local `folder`, then moved to the folder `uri`.

    Standard input and pipes, which can be read once only, are kept there, too.
    """

    folder: Path
    uri: str
    storage: Storage

    @classmethod
    def local(cls, folder: Path) -> "LandingFolder":
        """A local folder in which the files stay."""
        from healthpipe.storage.local import LocalStorage

        return cls(folder, str(folder), LocalStorage())

    def stat(self, name: str) -> StoredFile | None:
        """The file that is kept under a name; None if there is none."""
        return self.storage.stat(f"{self.uri}/{name}")

    def deliver(self, local: Path) -> str:
        """Move a file of `folder`, with the files of its large lines, to `uri`; returns its URI."""
        if Path(self.uri) == self.folder:
            return str(local)
        for path in (*large_line_files(local), local):
            self.storage.deliver(path, f"{self.uri}/{path.name}")
        return f"{self.uri}/{local.name}"

    def delete_rewritten(self) -> None:
        """Delete the rewritten files, whose records are in the raw files and in results.

        Streams and large lines stay: nothing else may have them.
        """
        files = [file.uri for file in self.storage.list(self.uri)]
        rewritten = [uri for uri in files if uri.endswith(REWRITTEN)]
        if rewritten == files:
            self.storage.delete_folder(self.uri)
            return
        for uri in rewritten:
            self.storage.delete(uri)
