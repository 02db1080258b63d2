"""The input manifest: exactly the files that a run reads, and how each is read.

Also the rules by which files of a folder are found, the same for local folders and S3.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from healthpipe.aws.session import AwsAccess
from healthpipe.contract import RULES, Reason
from healthpipe.engines.base import LineFile
from healthpipe.ingest.folders import Kind, kind_of
from healthpipe.ingest.formats import Shape
from healthpipe.storage import is_s3
from healthpipe.storage.base import StoredFile
from healthpipe.storage.layout import OWN_FOLDERS, require_known_version
from healthpipe.storage.scratch import stats

STANDARD_INPUT = "-"
TEXT_SUFFIXES = (".json", ".jsonl", ".ndjson", ".txt")
PACKED_SUFFIXES = (".gz", ".zst", ".bz2", ".xz")
ARCHIVE_SUFFIX = ".zip"
SUFFIXES = (
    *(suffix + packed for suffix in TEXT_SUFFIXES for packed in ("", *PACKED_SUFFIXES)),
    ARCHIVE_SUFFIX,
)
_DATED_FOLDER = re.compile(r"(?:snapshot_date=)?(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class FoundFile:
    """An input file: its URI, its name relative to its SOURCE, the date of its folder if any.

    `listed` is its entry in the listing of a storage, if it was listed.
    """

    uri: str
    source: str
    folder_date: datetime.date | None
    listed: StoredFile | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the file can be read once only: standard input, a pipe, a device."""
        if self.uri == STANDARD_INPUT:
            return True
        return not is_s3(self.uri) and kind_of(self.uri) is Kind.STREAM


OTHER_NAME = "not a name that is read"
STREAM = "a pipe, socket or device"
FOREIGN_LINK = "a link that belongs to another user"
OWN_FOLDER = "a link into the root's own folders"
OUTSIDE = "a link in an archive, or a name that leads out of it"


@dataclass(frozen=True)
class SkippedFile:
    """A file or link that is not read: its URI, its name relative to its SOURCE, and why.

    The name is empty where it is not known.
    """

    uri: str
    source: str
    reason: str

    @classmethod
    def from_json(cls, document: dict[str, str] | str) -> "SkippedFile":
        """Parse what `asdict` made; version 1 of the manifest has the URI alone."""
        if isinstance(document, str):
            return cls(document, "", OTHER_NAME)
        return cls(**document)

    def __str__(self) -> str:
        return f"{self.uri}: {self.reason}"


@dataclass(frozen=True)
class FoundFiles:
    """The files of all SOURCEs, sorted by name, and those that were skipped."""

    files: tuple[FoundFile, ...]
    skipped: tuple[SkippedFile, ...]


def is_visible(name: str) -> bool:
    """Whether a file or folder in a folder is looked at, by its name."""
    return not name.startswith((".", "_"))


def is_read(name: str) -> bool:
    """Whether a file in a folder is read, by its name."""
    return name.lower().endswith(SUFFIXES)


def may_be_input(name: str) -> bool:
    """Whether a broken link in a folder may have led to input, by its name: a file or a folder."""
    return is_read(name) or not PurePath(name).suffix


def is_own_folder(name: str) -> bool:
    """Whether a name directly below the root is that of one of its own folders: never input."""
    return name in OWN_FOLDERS


def folder_date(folders: Iterable[str]) -> datetime.date | None:
    """The date in the first of the folders' names that is one: `2026-11-20` or
    `snapshot_date=2026-11-20`. The folders above a file are given from the nearest on.
    """
    for name in folders:
        if match := _DATED_FOLDER.fullmatch(name):
            try:
                return datetime.date.fromisoformat(match[1])
            except ValueError:
                continue
    return None


# The name of a raw file of repaired lines, with the SHA-256 of its content.
REPLAYED = re.compile(r"replayed-([0-9a-f]{64})\.ndjson(?:\.gz)?")
_DIGITS = re.compile(r"[0-9]+")


def feed_of(source: str) -> str:
    """The feed of a file by its name relative to SOURCE: the deliveries of one sender that follow
    each other.

    All files are of one feed whose names agree once date folders (`2026-11-20`,
    `snapshot_date=2026-11-20`) are left out and each run of digits is `#`. All files of repaired
    lines are one feed, too.
    """
    *folders, name = source.split("/")
    if REPLAYED.fullmatch(name):
        return "replayed-#.ndjson"
    kept = [folder for folder in folders if folder_date([folder]) is None]
    return _DIGITS.sub("#", "/".join([*kept, name]))


SCHEMA_VERSION = 3
# The version of a link that leads nowhere, as long as it does.
BROKEN_LINK = "broken link"


@dataclass(frozen=True)
class InputFile:
    """An input file of a run, of `size` bytes.

    `shape` and `compression` (such as "gzip", "zip+zstd", "none") are told by its content. `landed`
    is the URI of its landed file, with `landed_lines` lines; None if it is read in place. One that
    `is_unreadable` was rejected because nothing could be read of it, or because it unpacks to more
    than the run allows; neither is part of its version.

    A file in an archive has the URI, size and version of that, and is its `member` of this name;
    `archive_date` is the date of the archive's folder, `archive_members` how many are read. The
    first one has those that are not read.

    One that `has_large_lines` was landed with files beside it that hold them. One that `is_reused`
    was not opened: a curated segment has its lines, and `landed` is what it once was.

    A file that was rejected whole has its reason as `refusal`, what more there is to say of it, and
    `apparent_records`: how many it seems to hold.
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
    is_unreadable: bool = False
    member: str | None = None
    archive_date: str | None = None
    skipped_members: tuple[SkippedFile, ...] = ()
    archive_members: int = 0
    has_large_lines: bool = False
    is_reused: bool = False
    refusal: Reason | None = None
    refusal_detail: str = ""
    apparent_records: int = 0

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "InputFile":
        """Parse the document that `asdict` made."""
        skipped = tuple(map(SkippedFile.from_json, document.get("skipped_members", ())))
        refusal = Reason(document["refusal"]) if document.get("refusal") else None
        typed = {"shape": Shape(document["shape"]), "skipped_members": skipped, "refusal": refusal}
        return cls(**document | typed)

    @property
    def is_of_one_run(self) -> bool:
        """Whether its lines are of no use to another run: that has to read the file itself."""
        return self.is_unreadable or self.has_large_lines

    @property
    def stored_source(self) -> str:
        """The name of the file, or of the archive that it is in, as it was found."""
        return self.source.removesuffix(f"!{self.member}") if self.member else self.source

    @property
    def described_refusal(self) -> str:
        """Say of a file that was rejected whole what is wrong with it."""
        rule = next(rule for rule in RULES if rule.reason is self.refusal)
        return f"{self.source}: {self.refusal_detail or rule.meaning}"

    def as_lines(self) -> LineFile:
        """The file for an engine to read."""
        date = datetime.date.fromisoformat(self.folder_date) if self.folder_date else None
        path = self.landed or self.uri
        return LineFile(path, self.source, date, self.landed is not None, self.size)


@dataclass(frozen=True)
class Manifest:
    """The input files of a run, sorted by name, and the files that were skipped."""

    files: tuple[InputFile, ...]
    skipped: tuple[SkippedFile, ...]

    @property
    def bytes(self) -> int:
        """The size of all files in bytes, before decompression."""
        return sum({file.uri: file.size for file in self.files}.values())

    @property
    def uris(self) -> list[str]:
        """The URIs of the files."""
        return list(dict.fromkeys(file.uri for file in self.files))

    @property
    def unseen_records(self) -> int:
        """How many records the files that were rejected whole seem to hold beyond a line each."""
        return sum(max(0, file.apparent_records - 1) for file in self.files)

    @property
    def landed_lines(self) -> dict[str, int]:
        """The number of lines of each landed file, by the name of the input file."""
        return {
            file.source: file.landed_lines for file in self.files if file.landed_lines is not None
        }

    def to_json(self) -> dict[str, Any]:
        """The JSON document that a run keeps as inputs.json."""
        files = [asdict(file) for file in self.files]
        skipped = [asdict(file) for file in self.skipped]
        return {"schema_version": SCHEMA_VERSION, "files": files, "skipped": skipped}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Manifest":
        """Parse the document that `to_json` made. Raises `NewerDocument`."""
        require_known_version(document, SCHEMA_VERSION, "inputs.json of the run")
        files = tuple(InputFile.from_json(file) for file in document["files"])
        return cls(files, tuple(map(SkippedFile.from_json, document["skipped"])))

    def changed_files(self, access: AwsAccess) -> list[str]:
        """The URIs of files that have changed since they were listed; streams never have."""
        listed = {file.uri: file.version for file in self.files if file.version}
        now = stats(listed, access)
        return [
            uri
            for uri, version in listed.items()
            if version != (now[uri].version if uri in now else version_without_target(uri))
        ]


def version_without_target(uri: str) -> str | None:
    """The version of a file that storage does not find: a broken link has one, others none."""
    is_broken = not is_s3(uri) and kind_of(uri) is Kind.BROKEN_LINK
    return BROKEN_LINK if is_broken else None
