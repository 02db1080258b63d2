"""The request of a run of the workflow, and the fingerprint of what decides its results.

The request is the input of the execution, kept in the run's record. Equal fingerprints, equal
results.
"""

import datetime
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import healthpipe
from healthpipe.alerts.channels import Channel, open_channel
from healthpipe.aws.session import DATABASE, WORKGROUP, AthenaSettings, AwsAccess
from healthpipe.choices import DROP_GATES, KEPT_RUNS, EngineName, Gate, Grain
from healthpipe.errors import UsageError
from healthpipe.ingest.manifest import FoundFiles, InputFile, Manifest
from healthpipe.ingest.sources import absolute_source
from healthpipe.publishing.gates import Gates, RawGates
from healthpipe.stages import segments
from healthpipe.stages.options import RawOptions, StageOptions
from healthpipe.storage.layout import Root, open_root
from healthpipe.storage.local import LocalStorage
from healthpipe.text import suggested_command

# The fields whose keys in the document have other names.
JSON_NAMES = {"raw_options": "words"}
# The fields that say which engine runs, and how AWS is reached.
ENGINE_OPTIONS = (
    *("engine", "region", "profile", "kms_key", "bucket_owner"),
    *("database", "workgroup", "athena_output", "max_bytes_scanned"),
)


@dataclass(frozen=True)
class RequestChanges:
    """What a retry may change of the request of its run; a false value changes nothing."""

    accept: tuple[Gate, ...] = ()
    accept_drop: bool = False
    max_bytes_scanned: int | None = None


@dataclass(frozen=True)
class RunRequest:
    """What a run of the workflow is to do, as the user wrote it.

    `keep` is how many published runs stay. Without `sns_topic` alerts go to the console. The
    fields about AWS are those of `AwsAccess` and `AthenaSettings`.
    """

    root: str
    sources: tuple[str, ...] = ()
    engine: EngineName = EngineName.DUCKDB
    as_of: str | None = None
    raw_options: RawOptions = field(default_factory=RawOptions)
    gates: RawGates = field(default_factory=RawGates)
    accept: tuple[Gate, ...] = ()
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
        """Serialize the request; `from_json` reads it."""
        typed = {
            "sources": list(self.sources),
            "accept": list(self.accept),
            "raw_options": self.raw_options.to_json(),
            "gates": self.gates.to_json(),
        }
        return {JSON_NAMES.get(name, name): value for name, value in (vars(self) | typed).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RunRequest":
        """Read the request of a document, which has to name a root. Raises `UsageError`."""
        names = {JSON_NAMES.get(field.name, field.name): field.name for field in fields(cls)}
        unknown = set(document) - set(names)
        if unknown or not document.get("root"):
            what = f"unknown: {', '.join(sorted(unknown))}" if unknown else "no root"
            raise UsageError(
                f"the input of the execution is no request ({what})",
                "give root, and what else a run is to do",
            )
        typed = {
            "sources": tuple(document.get("sources", ())),
            "accept": tuple(map(Gate, document.get("accept", ()))),
            "engine": EngineName(document.get("engine", EngineName.DUCKDB)),
            "raw_options": RawOptions.from_json(document.get("words", {})),
            "gates": RawGates(**document.get("gates", {})),
        }
        return cls(**{names[key]: value for key, value in document.items()} | typed)

    @classmethod
    def of_retry(
        cls, document: Mapping[str, Any], root: Root, changes: RequestChanges
    ) -> "RunRequest":
        """Read the request of a run that is resumed at `root`, with changes.

        What the run was to accept held for the call that began it.
        """
        changed = {name: value for name, value in asdict(changes).items() if value}
        access = {name: value for name, value in asdict(root.access).items() if value is not None}
        once = {"accept": (), "accept_drop": False}
        return cls.from_json({**document, **once, **changed, **access, "root": root.uri})

    def command(self, *words: str, folder: str = "", **options: object) -> str:
        """Compose a command with the root, SOURCEs, engine and access of this request.

        It works from any folder; `folder` is the one in which the SOURCEs were named.
        """
        engine = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name in ENGINE_OPTIONS and getattr(self, field.name) != field.default
        }
        sources = (absolute_source(source, folder) for source in self.sources)
        root = self.opened_root().absolute_uri
        return suggested_command(*words, *sources, root=root, **engine, **options)

    def again(self, folder: str = "") -> str:
        """Compose the command that runs this request anew, without what was meant for one call."""
        return self.command(
            "orchestrate",
            folder=folder,
            as_of=self.as_of,
            **self.raw_options.flags(),
            **self.gates.flags(),
            keep=None if self.keep == KEPT_RUNS else self.keep,
            sns_topic=self.sns_topic,
            notify_success=self.notify_success,
        )

    def list_command(self, as_of: datetime.date) -> str:
        """Compose the command that lists every accreditation that expires in the window."""
        words = ("months", "days", "snapshot", "rule", "strict", "id_pattern", "strict_states")
        return self.command(
            *("filter-expiring", "-o", "-"),
            grain=Grain.ACCREDITATION,
            as_of=as_of,
            **self.raw_options.flags(*words),
        )

    def options(self, today: datetime.date) -> StageOptions:
        """Check the options; `today` is the as-of date unless another was asked for."""
        return self.raw_options.checked(today.isoformat() if self.as_of is None else self.as_of)

    def chosen_gates(self) -> Gates:
        """Check the gates."""
        return self.gates.checked()

    def accepted_gates(self) -> frozenset[Gate]:
        """The gates whose failure does not keep the run from being published."""
        return frozenset((*self.accept, *(DROP_GATES if self.accept_drop else ())))

    def require_valid(self, today: datetime.date) -> None:
        """Raise `UsageError` for what can be refused before a run begins."""
        self.options(today)
        self.chosen_gates()
        self.opened_root()
        self.channel()

    def channel(self) -> Channel:
        """Open the channel of the alerts. Raises `UsageError`."""
        return open_channel(self.sns_topic, self.region, self.profile)

    def access(self) -> AwsAccess:
        """The settings of the AWS session."""
        return AwsAccess(self.region, self.profile, self.kms_key, self.bucket_owner)

    def athena(self) -> AthenaSettings:
        """The settings of Athena."""
        return AthenaSettings(
            self.access(),
            self.database,
            self.workgroup,
            self.athena_output,
            self.max_bytes_scanned,
        )

    def opened_root(self) -> Root:
        """Open the root of the run. Raises `UsageError`."""
        return open_root(self.root, self.access())


Fingerprint = dict[str, str]
ALL_SQL = ("**/*.sql",)
InputIdentity = tuple[str, str, str, str | None]


def fingerprint(inputs: Iterable[InputIdentity], options: StageOptions) -> Fingerprint:
    """Compute digests of inputs, options (the as-of date among them) and SQL, and the version."""
    return {
        "inputs": _digest(sorted(inputs)),
        "options": _digest(options.to_json()),
        **code_fingerprint(),
    }


def code_fingerprint() -> Fingerprint:
    """The part that is independent of a run: the SQL with its constants, and the version."""
    return {"sql": segments.fingerprint(ALL_SQL), "version": healthpipe.__version__}


def found_inputs(found: FoundFiles) -> Iterator[InputIdentity]:
    """Identify files as they are now. A stream has no version: its content is not known yet."""
    for file in found.files:
        status = file.listed or (None if file.is_stream else LocalStorage().stat(file.uri))
        date = file.folder_date.isoformat() if file.folder_date else None
        yield (file.uri, file.source, status.version if status else "", date)


def manifest_inputs(manifest: Manifest) -> Iterator[InputIdentity]:
    """Identify the files of a manifest as they were when it was made.

    One that could not be read is like no file that is found: the next run has to try it again.
    An archive is one file, whatever is in it.
    """
    yield from dict.fromkeys(map(_input_identity, manifest.files))


def _input_identity(file: InputFile) -> InputIdentity:
    version = f"unreadable {file.version}" if file.is_unreadable else file.version
    date = file.archive_date if file.member else file.folder_date
    return (file.uri, file.stored_source, version, date)


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, default=str).encode()).hexdigest()
