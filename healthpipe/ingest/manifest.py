"""The input manifest: exactly the files that a run reads, and how each is read."""

import datetime
from dataclasses import asdict, dataclass
from typing import Any

from healthpipe.aws.access import AwsAccess
from healthpipe.engines.base import LineFile
from healthpipe.ingest.formats import Shape
from healthpipe.storage.copies import stats

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
