"""The layout of a root: the URIs of its parts, the same for a folder and an s3:// prefix.

The versions of the documents in a root: what a newer healthpipe wrote is refused, never misread.

A refused document is never overwritten, for whoever would write it has to read it first.
"""

import datetime
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healthpipe.aws.session import AwsAccess
from healthpipe.errors import NewerDocument, RootNotFound
from healthpipe.storage import is_s3, open_storage, s3_folder, split_s3
from healthpipe.storage.base import Storage
from healthpipe.text import suggested_command

RECORD, RECORD_VERSION = "run.json", 1
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
# The folders of a root that healthpipe writes: never input.
OWN_FOLDERS = ("runs", "production", "state", "curated")


@dataclass(frozen=True)
class Root:
    """A root, and its parts as URIs without a slash at their end.

    `access` are the settings for a root on S3.
    """

    uri: str
    access: AwsAccess = field(default_factory=AwsAccess)

    @property
    def storage(self) -> Storage:
        """The storage of the root's files."""
        return open_storage(self.uri, self.access)

    @property
    def absolute_uri(self) -> str:
        """The root as an absolute path or an s3:// URI."""
        return self.uri if self.is_remote else str(Path(self.uri).resolve())

    @property
    def is_remote(self) -> bool:
        """Whether the root is on S3, not in a file system of this machine."""
        return is_s3(self.uri)

    def command(self, *words: str, **options: object) -> str:
        """Compose a command about this root that a message suggests, for any folder."""
        return suggested_command(*words, root=self.absolute_uri, **vars(self.access), **options)

    def existing(self) -> "Root":
        """Return the root, or refuse one that is not there. Raises `RootNotFound`.

        On S3 a prefix exists where an object lies below it; a bucket also when it is empty.
        """
        if self.is_remote:
            files = self.storage.list(self.uri)  # raises, if there is no such bucket
            exists = next(files, None) is not None or not split_s3(self.uri)[1]
        else:
            exists = Path(self.uri).exists()
        if not exists:
            raise RootNotFound(
                f"the root {self.uri} is not there", "give --root as the runs were given it"
            )
        return self

    @property
    def raw(self) -> str:
        """The folder of input files, which healthpipe never changes."""
        return f"{self.uri}/raw"

    @property
    def curated(self) -> str:
        """The folder of curated segments, one folder a segment."""
        return f"{self.uri}/curated"

    @property
    def pointer(self) -> str:
        """The document that points to the live run (`current.json`)."""
        return f"{self.production}/current.json"

    @property
    def runs(self) -> str:
        """The folder of runs, one folder a run."""
        return f"{self.uri}/runs"

    @property
    def production(self) -> str:
        """The folder of published outputs, one folder a run, and of the pointer."""
        return f"{self.uri}/production"

    @property
    def state(self) -> str:
        """The folder of what outlives runs: locks, alerts, resolutions, the pointer's history."""
        return f"{self.uri}/state"

    @property
    def history(self) -> str:
        """The folder of the pointer's earlier documents, one a generation."""
        return f"{self.state}/history"

    def run(self, run_id: str) -> str:
        """The folder of a run."""
        return f"{self.runs}/{run_id}"

    def record(self, run_id: str) -> str:
        """The record of a run (`run.json`)."""
        return f"{self.run(run_id)}/{RECORD}"

    def resolutions(self, sha256: str) -> str:
        """The document of the rejected lines that a replayed file of this SHA-256 resolves."""
        return f"{self.state}/resolved/{sha256}.json"

    @property
    def lock(self) -> str:
        """The file that a run of the workflow locks on a local root."""
        return f"{self.state}/lock"

    @property
    def lock_holder(self) -> str:
        """The document of the last holder of the lock; on S3 the lease itself."""
        return f"{self.state}/lock.json"

    @property
    def at_work(self) -> str:
        """The folder of the leases of running runs on S3, where files cannot be locked."""
        return f"{self.state}/at-work"

    @property
    def alerts(self) -> str:
        """The document of the alerts that were sent and that are pending."""
        return f"{self.uri}/state/alerts.json"

    def damaged_alerts(self, timestamp: str) -> str:
        """A copy of `alerts` that could not be parsed, kept under the time of that."""
        return f"{self.uri}/state/alerts.damaged-{timestamp}.json"

    def published(self, run_id: str) -> str:
        """The folder of the immutable copies of a run's outputs."""
        return f"{self.production}/{run_id}"


def open_root(text: str, access: AwsAccess | None = None) -> Root:
    """The root that a user names by a path or an s3:// URI. Raises `UsageError`."""
    uri = s3_folder(text) if is_s3(text) else Path(text).as_posix()
    return Root(uri, access or AwsAccess())


def second_of_run(run_id: str) -> str:
    """The second (UTC) in which a run started, such as `20260101T000000Z`, by its id."""
    return run_id[: len("20260101T000000Z")]


def day_of_run(run_id: str) -> datetime.date | None:
    """The UTC day on which a run started, by its id; None for an invalid id."""
    if not RUN_ID.fullmatch(run_id):
        return None
    try:
        return datetime.date.fromisoformat(run_id[:8])
    except ValueError:
        return None


def require_known_version(document: Any, known: int, name: str) -> None:
    """Raise `NewerDocument` if the `schema_version` of a JSON document is above the `known` one.

    `name` is what the message calls the document. One that is damaged passes: see who reads it.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > known:
        raise NewerDocument(name, version, known)
