"""The options that commands share: each declared once, as a field of a group or as an alias.

Those about the meaning of records lie in `healthpipe.cli.options_meaning`.

A value comes from the flag, else the environment, else the configuration file, else the default.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from healthpipe.aws.session import DATABASE, WORKGROUP, AthenaSettings, AwsAccess
from healthpipe.choices import EngineName, Format, Gate, LogFormat
from healthpipe.cli.config import load_configuration, warn_of_unknown_variables
from healthpipe.cli.console import OutputSettings, use_output_settings
from healthpipe.cli.signature import (
    AppliedFirst,
    check_gates,
    check_owner,
    check_s3_uri,
    check_topic,
    one_call_option,
    option,
    parse_bytes,
)

if TYPE_CHECKING:
    from healthpipe.storage.layout import Root

COUNTS = "What counts"
RESULT = "The result"
PUBLISHED = "What is published"
TOLD = "Who is told"
RUNS = "When it runs"
AWS = "On AWS"
ATHENA = "With --engine athena"
MESSAGES = "Messages"

counts_option = partial(option, panel=COUNTS)
result_option = partial(option, panel=RESULT)
# Hidden is what --help-all shows and --help does not.
aws_option = partial(option, panel=AWS, hidden=True)
athena_option = partial(option, panel=ATHENA, hidden=True)
message_option = partial(option, panel=MESSAGES)

# Options that some commands take alone; groups below take some of them, too.
OutputOption = Annotated[
    str | None,
    result_option(
        "--output",
        "-o",
        metavar="PATH|S3URI|-",
        help="Where the result goes; - is standard output.  (default: the run's own folder)",
    ),
]
MaxBytesScannedOption = Annotated[
    int | None,
    athena_option(
        "--max-bytes-scanned",
        metavar="SIZE",
        parser=parse_bytes,
        help="End the run when its queries have scanned more, as 500GB.",
    ),
]
SnapshotAgeOption = Annotated[
    str | None,
    option(
        "--max-snapshot-age",
        metavar="AGE",
        help="At most so old may the newest snapshot of a feed be, as 45d.",
        panel=PUBLISHED,
    ),
]
KeepOption = Annotated[
    int,
    option(
        "--keep",
        metavar="N",
        min=1,
        help="How many published runs stay, to be rolled back to.",
        panel=PUBLISHED,
    ),
]
DryRunOption = Annotated[bool, one_call_option("--dry-run", help="Only say what would be done.")]
CacheOption = Annotated[
    bool | None,
    one_call_option(
        "--cache/--no-cache",
        help="Keep judged lines of files outside the root, too, for later calls; or read raw files,"
        " and keep nothing.  (default: keep those of files in the root)",
        panel=RESULT,
        show_default=False,
    ),
]
LimitOption = Annotated[int, option("--limit", min=1, help="The most lines shown.")]


@dataclass(frozen=True)
class RootOptions:
    """Where raw files, runs and results lie."""

    root: Annotated[
        str, option("--root", metavar="DIR|S3URI", help="Where raw files, runs and results lie.")
    ] = "./data"

    def open(self, aws: "AwsOptions") -> "Root":
        """Open the root. Raises `UsageError`."""
        from healthpipe.storage.layout import open_root

        return open_root(self.root, aws.access())


@dataclass(frozen=True)
class AcceptOptions:
    """The gates that a run may fail, once."""

    accept: Annotated[
        list[str] | None,
        one_call_option(
            "--accept",
            metavar="GATE",
            callback=check_gates,
            help="Publish this once though it fails; may be repeated.",
            panel=PUBLISHED,
        ),
    ] = None
    accept_drop: Annotated[
        bool,
        one_call_option(
            "--accept-drop", help="Publish this once, however far they drop.", panel=PUBLISHED
        ),
    ] = False

    def gates(self) -> tuple[Gate, ...]:
        """The gates that --accept names."""
        return tuple(map(Gate, self.accept or ()))


@dataclass(frozen=True)
class MemoryOptions(AppliedFirst):
    """How much memory DuckDB may take."""

    memory_limit: Annotated[
        int | None,
        option(
            "--memory-limit",
            metavar="SIZE",
            parser=parse_bytes,
            help="The most memory that DuckDB takes, as 4GB; at least 300MB.  (default: 1GB)",
            panel=RUNS,
            hidden=True,
        ),
    ] = None

    def apply_first(self, context: typer.Context) -> None:  # noqa: ARG002
        """Limit the memory. Raises `UsageError` where it is too little."""
        from healthpipe.engines import use_memory_limit

        use_memory_limit(self.memory_limit)


@dataclass(frozen=True)
class EngineOptions:
    """The engine that runs the SQL."""

    engine: Annotated[EngineName, option("--engine", help="What runs the SQL.")] = EngineName.DUCKDB


@dataclass(frozen=True)
class InputOptions(EngineOptions, RootOptions):
    """What is read, and the engine that reads it."""

    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Files, folders, globs, s3:// URIs, or - for standard input."
            "  (default: <root>/raw)",
        ),
    ] = None


@dataclass(frozen=True)
class SpreadsheetOptions:
    """Whether CSV is safe to open in a spreadsheet."""

    spreadsheet_safe: Annotated[
        bool,
        result_option(
            "--spreadsheet-safe",
            help="In CSV, an apostrophe before texts that a spreadsheet would run as formulas.",
        ),
    ] = False


@dataclass(frozen=True)
class ResultOptions(SpreadsheetOptions):
    """Where the result of a stage goes, and in which format."""

    output: OutputOption = None
    format: Annotated[
        Format | None,
        result_option(
            "--format",
            help="Format of the result.  (default: by the suffix of -o, else the stage's own)",
        ),
    ] = None


@dataclass(frozen=True)
class TopicOptions:
    """The channel of the alerts."""

    sns_topic: Annotated[
        str | None,
        option(
            "--sns-topic",
            panel=TOLD,
            metavar="ARN",
            callback=check_topic,
            help="Amazon SNS topic that alerts go to.  (default: standard error)",
        ),
    ] = None


@dataclass(frozen=True)
class LockOptions:
    """How long a command waits for the root's lock, in seconds."""

    lock_wait: Annotated[
        float,
        option(
            "--lock-wait",
            panel=RUNS,
            metavar="SECONDS",
            min=0,
            help="How long to wait for another run to end.",
        ),
    ] = 0.0


@dataclass(frozen=True)
class AwsOptions:
    """How AWS is reached."""

    region: Annotated[
        str | None, aws_option("--region", help="AWS region.  (default: of an alert, its topic's)")
    ] = None
    profile: Annotated[
        str | None,
        aws_option("--profile", help="AWS profile.  (default: as the AWS command line chooses it)"),
    ] = None
    kms_key: Annotated[
        str | None,
        aws_option(
            "--kms-key",
            metavar="KEY",
            help="KMS key that encrypts what is written to S3.  (default: as the bucket says)",
        ),
    ] = None
    bucket_owner: Annotated[
        str | None,
        aws_option(
            "--bucket-owner",
            metavar="ACCOUNT",
            callback=check_owner,
            help="AWS account that has to own the buckets, for S3 to answer.",
        ),
    ] = None

    def access(self) -> AwsAccess:
        """Return the settings of the session."""
        return AwsAccess(self.region, self.profile, self.kms_key, self.bucket_owner)


@dataclass(frozen=True)
class AthenaOptions:
    """Where Athena runs queries, and how much they may scan."""

    database: Annotated[
        str,
        athena_option("--database", help="Glue database of the tables; made when it is not there."),
    ] = DATABASE
    workgroup: Annotated[
        str, athena_option("--workgroup", help="Athena workgroup of the queries.")
    ] = WORKGROUP
    athena_output: Annotated[
        str | None,
        athena_option(
            "--athena-output",
            metavar="S3URI",
            callback=check_s3_uri,
            help="Where Athena keeps results.  (default: as the workgroup says, or below the run)",
        ),
    ] = None
    max_bytes_scanned: MaxBytesScannedOption = None

    def settings(self, aws: AwsOptions) -> AthenaSettings:
        """Return the settings of the engine."""
        return AthenaSettings(
            aws.access(), self.database, self.workgroup, self.athena_output, self.max_bytes_scanned
        )


@dataclass(frozen=True)
class MessageOptions(AppliedFirst):
    """What a command prints, and the configuration file."""

    json: Annotated[bool, message_option("--json", help="Print one JSON document instead.")] = False
    quiet: Annotated[
        bool, message_option("--quiet", "-q", help="Only warnings, errors and alerts.")
    ] = False
    debug: Annotated[
        bool, message_option("--debug", hidden=True, help="Show tracebacks of errors.")
    ] = False
    log_format: Annotated[
        LogFormat, message_option("--log-format", hidden=True, help="Look of messages.")
    ] = LogFormat.TEXT
    config: Annotated[
        Path | None,
        message_option(
            "--config",
            callback=load_configuration,
            is_eager=True,
            help="TOML file with options.  (default: healthpipe.toml, if there)",
            hidden=True,
        ),
    ] = None

    def apply_first(self, context: typer.Context) -> None:
        """Show messages as these options say from now on, first those about the environment."""
        self.apply().start_logging()
        warn_of_unknown_variables(context)

    def apply(self) -> OutputSettings:
        """Make these the output settings of the command that runs, its errors included."""
        settings = OutputSettings(self.json, self.quiet, self.debug, self.log_format)
        use_output_settings(settings)
        return settings
