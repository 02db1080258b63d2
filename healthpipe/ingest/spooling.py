"""Standard input and pipes, which can be read once only, kept in a file."""

import contextlib
import io
import sys
from pathlib import Path

from healthpipe.cancellation import raise_if_stopping, wait_for_bytes
from healthpipe.errors import StreamBroken
from healthpipe.ingest.found import STANDARD_INPUT
from healthpipe.ingest.lines import CHUNK_BYTES, Reader


def spool(uri: str, target: Path) -> None:
    """Keep the bytes of standard input or of a pipe in a file, all of them or none.

    Raises `StreamBroken` where an earlier attempt has read a part of them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    if part.exists():
        raise StreamBroken(uri)
    with _opened(uri) as reader, part.open("xb") as writer:
        # Opening a pipe swallows what a signal's handler raises meanwhile.
        raise_if_stopping()
        while chunk := _read(reader):
            writer.write(chunk)
            raise_if_stopping()
    part.rename(target)


def _read(reader: Reader) -> bytes:
    """What comes next, waited for so that no signal is missed."""
    if isinstance(reader, io.FileIO):
        wait_for_bytes(reader.fileno())
    return reader.read(CHUNK_BYTES)


def _opened(uri: str) -> contextlib.AbstractContextManager[Reader]:
    if uri != STANDARD_INPUT:
        return Path(uri).open("rb", buffering=0)
    try:
        # Not its buffer: a thread that waits in there holds a lock that the process ends on.
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except (AttributeError, io.UnsupportedOperation):
        return contextlib.nullcontext(sys.stdin.buffer)
