"""Input files as they were found, and the rules for names that hold everywhere.

The input manifest: exactly the files that a run reads, and how each is read.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from healthpipe.aws.session import AwsAccess
from healthpipe.engines.base import LineFile
from healthpipe.ingest.formats import Shape
from healthpipe.storage.base import StoredFile
from healthpipe.storage.copies import stats
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
class FoundFiles:
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


SCHEMA_VERSION = 1


@dataclass(frozen=True)
class InputFile:
    """One file of a run. `landed` is where its lines lie if not in the file itself.

    `shape` and `compression` are told by its content. `landed_lines` are the lines written there.
    """

    uri: str
    source: str
    size: int
    version: str
    compression: str
    folder_date: str | None
    landed: str | None = None
    shape: Shape = Shape.LINES
    landed_lines: int | None = None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "InputFile":
        """The file of a document that `asdict` made."""
        return cls(**{**document, "shape": Shape(document["shape"])})

    def as_lines(self) -> LineFile:
        """How an engine reads it."""
        date = datetime.date.fromisoformat(self.folder_date) if self.folder_date else None
        path = self.landed or self.uri
        return LineFile(path, self.source, date, self.landed is not None, self.size)


@dataclass(frozen=True)
class Manifest:
    """The files of a run by their names, and those that were passed over."""

    files: tuple[InputFile, ...]
    skipped: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """The size of all files as they lie."""
        return sum(file.size for file in self.files)

    @property
    def uris(self) -> list[str]:
        """Where the files lie."""
        return [file.uri for file in self.files]

    @property
    def landed_lines(self) -> dict[str, int]:
        """How many lines were written for each file that was rewritten, by its name."""
        return {
            file.source: file.landed_lines for file in self.files if file.landed_lines is not None
        }

    def to_json(self) -> dict[str, Any]:
        """The document that a run keeps as inputs.json."""
        files = [asdict(file) for file in self.files]
        return {"schema_version": SCHEMA_VERSION, "files": files, "skipped": list(self.skipped)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Manifest":
        """The manifest that `to_json` wrote."""
        files = tuple(InputFile.from_json(file) for file in document["files"])
        return cls(files, tuple(document["skipped"]))

    def changed_files(self, access: AwsAccess) -> list[str]:
        """The files that are no longer as they were listed. A stream has nothing to compare."""
        listed = {file.uri: file.version for file in self.files if file.version}
        now = stats(listed, access)
        return [
            uri for uri, version in listed.items() if uri not in now or now[uri].version != version
        ]
