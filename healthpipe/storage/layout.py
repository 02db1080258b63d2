"""Where things lie below a root; the same for a folder and for s3://bucket/prefix."""

import datetime
import re
from dataclasses import dataclass, field
from pathlib import Path

from healthpipe.aws.session import AwsAccess
from healthpipe.storage import open_storage
from healthpipe.storage.base import Storage
from healthpipe.storage.uris import is_s3, s3_folder

RECORD = "run.json"
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
# Folders of a root that are ours and never input.
OWN_FOLDERS = ("runs", "production", "state", "curated")


@dataclass(frozen=True)
class Root:
    """A root and its parts as URIs without a slash at their end; `access` is for one on S3."""

    uri: str
    access: AwsAccess = field(default_factory=AwsAccess)

    @property
    def storage(self) -> Storage:
        """What keeps the root's files."""
        return open_storage(self.uri, self.access)

    @property
    def place(self) -> str:
        """The root as somebody elsewhere knows it: an absolute path or an s3:// URI."""
        return self.uri if self.is_remote else str(Path(self.uri).resolve())

    @property
    def is_remote(self) -> bool:
        """Whether it lies elsewhere than in a file system of this machine."""
        return is_s3(self.uri)

    @property
    def raw(self) -> str:
        """What arrives; never changed by us."""
        return f"{self.uri}/raw"

    @property
    def curated(self) -> str:
        """Typed segments of raw files, one folder for each run that read new ones."""
        return f"{self.uri}/curated"

    @property
    def pointer(self) -> str:
        """The pointer to the live run."""
        return f"{self.production}/current.json"

    @property
    def runs(self) -> str:
        """What runs keep for themselves, one folder a run."""
        return f"{self.uri}/runs"

    @property
    def production(self) -> str:
        """The copies of what was published, one folder a run, and the pointer."""
        return f"{self.uri}/production"

    @property
    def state(self) -> str:
        """What outlives runs: answers, the history of the pointer."""
        return f"{self.uri}/state"

    @property
    def history(self) -> str:
        """A copy of each document that the pointer was, by generation."""
        return f"{self.state}/history"

    def run(self, run_id: str) -> str:
        """What a run keeps for itself."""
        return f"{self.runs}/{run_id}"

    def record(self, run_id: str) -> str:
        """What a run says of itself."""
        return f"{self.run(run_id)}/{RECORD}"

    def answers(self, content: str) -> str:
        """Which rejected lines a replayed file of this SHA-256 answers."""
        return f"{self.state}/resolved/{content}.json"

    @property
    def lock(self) -> str:
        """What a run of the workflow locks."""
        return f"{self.state}/lock"

    @property
    def lock_holder(self) -> str:
        """Who locked it last; of a root elsewhere the lease itself."""
        return f"{self.state}/lock.json"

    @property
    def at_work(self) -> str:
        """The leases of runs that are at work, where no lock of a file can tell."""
        return f"{self.state}/at-work"

    @property
    def alerts(self) -> str:
        """Which alerts were sent, and which are still to be."""
        return f"{self.uri}/state/alerts.json"

    def damaged_alerts(self, moment: str) -> str:
        """The content of `alerts` that could not be read at a moment, set aside."""
        return f"{self.uri}/state/alerts.damaged-{moment}.json"

    def published(self, run_id: str) -> str:
        """The immutable copies of what a run published."""
        return f"{self.production}/{run_id}"


def open_root(text: str, access: AwsAccess | None = None) -> Root:
    """The root that a user names. Raises `UsageError`."""
    uri = s3_folder(text) if is_s3(text) else Path(text).as_posix()
    return Root(uri, access or AwsAccess())


def second_of_run(run_id: str) -> str:
    """The second (UTC) in which a run started, by its id; sorts as time does."""
    return run_id[: len("20260101T000000Z")]


def day_of_run(run_id: str) -> datetime.date | None:
    """The UTC day on which a run started, by its id; None for what is no id of a run."""
    if not RUN_ID.fullmatch(run_id):
        return None
    try:
        return datetime.date.fromisoformat(run_id[:8])
    except ValueError:
        return None
