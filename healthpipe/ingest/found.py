"""Input files as they were found, and the rules for names that hold everywhere."""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from healthpipe.storage.base import StoredFile
from healthpipe.storage.layout import OWN_FOLDERS
from healthpipe.storage.uris import is_s3

STANDARD_INPUT = "-"
SUFFIXES = tuple(
    suffix + packed for suffix in (".json", ".jsonl", ".ndjson", ".txt") for packed in ("", ".gz")
)
_DATED_FOLDER = re.compile(r"(?:snapshot_date=)?(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class FoundFile:
    """An input file: where it lies, its name relative to its SOURCE, its folder's date if any.

    `listed` is what the listing said of it, where that says all.
    """

    uri: str
    source: str
    folder_date: datetime.date | None
    listed: StoredFile | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it can be read once only: standard input, a pipe."""
        if is_s3(self.uri):
            return False
        return self.uri == STANDARD_INPUT or not Path(self.uri).is_file()


@dataclass(frozen=True)
class Found:
    """The files of all SOURCEs by name, and those that a folder holds beside them."""

    files: tuple[FoundFile, ...]
    skipped: tuple[str, ...]


def is_visible(name: str) -> bool:
    """Whether a file or folder of that name, found in a folder, is looked at."""
    return not name.startswith((".", "_"))


def is_read(name: str) -> bool:
    """Whether a file of that name, found in a folder, is read."""
    return name.lower().endswith(SUFFIXES)


def is_own_folder(name: str) -> bool:
    """Whether a name directly below the root is one of the root's own folders: never input."""
    return name in OWN_FOLDERS


def folder_date(folders: Iterable[str]) -> datetime.date | None:
    """The date of the nearest folder above a file that is named by one; the nearest come first."""
    for name in folders:
        if match := _DATED_FOLDER.fullmatch(name):
            try:
                return datetime.date.fromisoformat(match[1])
            except ValueError:
                continue
    return None
