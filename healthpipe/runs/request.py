"""What a run of the workflow is to do, as one document: the input of its execution."""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from healthpipe.alerts.channels import Channel, open_channel
from healthpipe.aws.session import DATABASE, WORKGROUP, AthenaSettings, AwsAccess
from healthpipe.choices import KEPT_RUNS, EngineName
from healthpipe.errors import UsageError
from healthpipe.publishing.gates import Gates
from healthpipe.stages.options import StageOptions, options_from_words
from healthpipe.storage.layout import Root, open_root


@dataclass(frozen=True)
class RunRequest:
    """What was asked for, in the words of the user: `words` are those of the stages' options,
    `gates` those of the gates.

    `keep` is how many published runs stay. Without `sns_topic` alerts go to the console. The
    words about AWS are those of `AwsAccess` and `AthenaSettings`.
    """

    root: str
    sources: tuple[str, ...] = ()
    engine: EngineName = EngineName.DUCKDB
    as_of: str | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    gates: Mapping[str, Any] = field(default_factory=dict)
    accept_drop: bool = False
    force: bool = False
    keep: int = KEPT_RUNS
    sns_topic: str | None = None
    region: str | None = None
    profile: str | None = None
    kms_key: str | None = None
    bucket_owner: str | None = None
    database: str = DATABASE
    workgroup: str = WORKGROUP
    athena_output: str | None = None
    max_bytes_scanned: int | None = None
    notify_success: bool = False

    def to_json(self) -> dict[str, Any]:
        """The document; `from_json` takes it."""
        return {**asdict(self), "sources": list(self.sources)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RunRequest":
        """The request of a document, which has to name a root. Raises `UsageError`."""
        unknown = set(document) - {field.name for field in fields(cls)}
        if unknown or not document.get("root"):
            what = f"unknown: {', '.join(sorted(unknown))}" if unknown else "no root"
            raise UsageError(
                f"the input of the execution is no request ({what})",
                "give root, and what else a run is to do",
            )
        typed = {
            "sources": tuple(document.get("sources", ())),
            "engine": EngineName(document.get("engine", EngineName.DUCKDB)),
        }
        return cls(**{**document, **typed})

    def options(self, today: datetime.date) -> StageOptions:
        """What it means; `today` is the as-of date unless another was asked for."""
        as_of = today.isoformat() if self.as_of is None else self.as_of
        return options_from_words(as_of, self.words)

    def chosen_gates(self) -> Gates:
        """The gates."""
        return Gates.choose(**self.gates)

    def require_valid(self, today: datetime.date) -> None:
        """Raise `UsageError` for what can be refused before a run begins."""
        self.options(today)
        self.chosen_gates()
        self.opened_root()
        self.channel()

    def channel(self) -> Channel:
        """Where its alerts go. Raises `UsageError`."""
        return open_channel(self.sns_topic, self.region, self.profile)

    def access(self) -> AwsAccess:
        """How AWS is reached."""
        return AwsAccess(self.region, self.profile, self.kms_key, self.bucket_owner)

    def athena(self) -> AthenaSettings:
        """What Athena is told."""
        return AthenaSettings(
            self.access(),
            self.database,
            self.workgroup,
            self.athena_output,
            self.max_bytes_scanned,
        )

    def opened_root(self) -> Root:
        """Where it all lies."""
        return open_root(self.root, self.access())
