"""Commands put together from the declared options, which they name."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

import typer

from healthpipe.aws.session import DATABASE, WORKGROUP
from healthpipe.choices import (
    KEPT_DAYS,
    KEPT_RUNS,
    MAX_DROP,
    MAX_REJECTED_FILES,
    MAX_REJECTS,
    Accredited,
    Drawing,
    EngineName,
    FirstAccreditation,
    Grain,
    LogFormat,
    QuarantineGroup,
)
from healthpipe.cli.alert_options import NotifySuccessOption, SendTestOption, SnsTopicOption
from healthpipe.cli.athena_options import (
    AthenaOutputOption,
    DatabaseOption,
    MaxBytesScannedOption,
    WorkgroupOption,
)
from healthpipe.cli.aws_options import BucketOwnerOption, KmsKeyOption, ProfileOption, RegionOption
from healthpipe.cli.gate_options import (
    AcceptDropOption,
    DryRunOption,
    KeepOption,
    MaxDropOption,
    MaxRejectedFilesOption,
    MaxRejectsOption,
    PruneDaysOption,
    PublishedRunArgument,
    WarnDropOption,
    WarnRejectedFilesOption,
    WarnRejectsOption,
)
from healthpipe.cli.options import (
    ConfigOption,
    DebugOption,
    EngineOption,
    FormatOption,
    JsonOption,
    LogFormatOption,
    OutputOption,
    QuietOption,
    RootOption,
    Sources,
    SpreadsheetSafeOption,
)
from healthpipe.cli.panels import in_panels
from healthpipe.cli.quarantine_options import (
    ByOption,
    LimitOption,
    MendedArgument,
    ReasonOption,
    RunArgument,
    RunOption,
    SourceOption,
    WithResolvedOption,
)
from healthpipe.cli.record_options import (
    AccreditedOption,
    AnnotateOption,
    AsOfOption,
    DaysOption,
    FirstAccreditationOption,
    GrainOption,
    IdPatternOption,
    IncludeExpiredOption,
    IncludeZeroOption,
    MonthsOption,
    OnlyAccreditedOption,
    RuleOption,
    SnapshotOption,
    StrictOption,
    StrictStatesOption,
    TopOption,
)
from healthpipe.cli.run_options import (
    AllRunsOption,
    ForceOption,
    HeartbeatUrlOption,
    LockWaitOption,
    MaxAgeOption,
    RunIdArgument,
)
from healthpipe.cli.workflow_options import DrawingOption, WorkflowArgument

Declared = tuple[Any, Any]  # what Typer is told of an option, and its default
# Every option of the commands put together here, by its name in their code.
DECLARED: dict[str, Declared] = {
    "sources": (Sources, None),
    "root": (RootOption, "./data"),
    "engine": (EngineOption, EngineName.DUCKDB),
    "as_of": (AsOfOption, None),
    "snapshot": (SnapshotOption, "latest"),
    "months": (MonthsOption, None),
    "days": (DaysOption, None),
    "include_expired": (IncludeExpiredOption, False),
    "first_accreditation": (FirstAccreditationOption, FirstAccreditation.LISTED),
    "only_accredited": (OnlyAccreditedOption, False),
    "accredited": (AccreditedOption, Accredited.CURRENT),
    "top": (TopOption, None),
    "grain": (GrainOption, Grain.FACILITY),
    "annotate": (AnnotateOption, False),
    "include_zero": (IncludeZeroOption, False),
    "strict_states": (StrictStatesOption, False),
    "rule": (RuleOption, None),
    "strict": (StrictOption, False),
    "id_pattern": (IdPatternOption, None),
    "spreadsheet_safe": (SpreadsheetSafeOption, False),
    "run_id": (RunArgument, None),
    "run": (RunOption, None),
    "mended": (MendedArgument, Parameter.empty),
    "reason": (ReasonOption, None),
    "source": (SourceOption, None),
    "by": (ByOption, QuarantineGroup.REASON),
    "limit": (LimitOption, 20),
    "with_resolved": (WithResolvedOption, False),
    "force": (ForceOption, False),
    "lock_wait": (LockWaitOption, 0.0),
    "heartbeat_url": (HeartbeatUrlOption, None),
    "max_age": (MaxAgeOption, None),
    "all_": (AllRunsOption, False),
    "any_run": (RunIdArgument, None),
    "max_rejects": (MaxRejectsOption, MAX_REJECTS),
    "max_rejected_files": (MaxRejectedFilesOption, MAX_REJECTED_FILES),
    "max_drop": (MaxDropOption, MAX_DROP),
    "warn_rejects": (WarnRejectsOption, None),
    "warn_rejected_files": (WarnRejectedFilesOption, None),
    "warn_drop": (WarnDropOption, None),
    "accept_drop": (AcceptDropOption, False),
    "keep": (KeepOption, KEPT_RUNS),
    "prune_days": (PruneDaysOption, KEPT_DAYS),
    "dry_run": (DryRunOption, False),
    "published_run": (PublishedRunArgument, None),
    "send_test": (SendTestOption, False),
    "sns_topic": (SnsTopicOption, None),
    "notify_success": (NotifySuccessOption, False),
    "region": (RegionOption, None),
    "profile": (ProfileOption, None),
    "kms_key": (KmsKeyOption, None),
    "bucket_owner": (BucketOwnerOption, None),
    "database": (DatabaseOption, DATABASE),
    "workgroup": (WorkgroupOption, WORKGROUP),
    "athena_output": (AthenaOutputOption, None),
    "max_bytes_scanned": (MaxBytesScannedOption, None),
    "workflow": (WorkflowArgument, None),
    "drawing": (DrawingOption, Drawing.TEXT),
    "output": (OutputOption, None),
    "format": (FormatOption, None),
    "json": (JsonOption, False),
    "quiet": (QuietOption, False),
    "debug": (DebugOption, False),
    "log_format": (LogFormatOption, LogFormat.TEXT),
    "config": (ConfigOption, None),
}
ROOT = ("sources", "root", "engine")
RECORDS = ("as_of", "snapshot", "rule", "strict", "id_pattern")
RESULT = ("spreadsheet_safe", "output", "format")
ALERTS = ("sns_topic", "notify_success")
AWS = ("region", "profile", "kms_key", "bucket_owner")
ATHENA = ("database", "workgroup", "athena_output", "max_bytes_scanned")
CONDUCT = ("force", "lock_wait", "heartbeat_url")
# What Gates.choose takes, and what else is about publishing.
GATES = (
    "max_rejects",
    "max_rejected_files",
    "max_drop",
    "warn_rejects",
    "warn_rejected_files",
    "warn_drop",
)
PUBLISHING = ("accept_drop", "keep")
MANNER = ("json", "quiet", "debug", "log_format", "config")
MEANING = (
    "months",
    "days",
    "include_expired",
    "first_accreditation",
    "only_accredited",
    "accredited",
    "strict_states",
)
LOOK = ("top", "grain", "annotate", "include_zero")
# The panels of --help.
PANELS = {
    **dict.fromkeys((*RECORDS, *MEANING), "What counts"),
    **dict.fromkeys((*LOOK, *RESULT), "The result"),
    **dict.fromkeys((*GATES, *PUBLISHING), "What is published"),
    **dict.fromkeys(ALERTS, "Who is told"),
    **dict.fromkeys(CONDUCT, "When it runs"),
    **dict.fromkeys(AWS, "On AWS"),
    **dict.fromkeys(ATHENA, "With --engine athena"),
    **dict.fromkeys(MANNER, "Messages"),
}


def declare(
    command: Callable[..., None], names: Sequence[str], own: Mapping[str, Declared] | None = None
) -> None:
    """Give a command that takes a context and keywords the options of these names, after its own:
    each with its default.
    """
    known = {**(own or {}), **{name: DECLARED[name] for name in names}}
    annotations = {"context": typer.Context} | in_panels(list(known), known, PANELS)
    defaults = {name: declared[1] for name, declared in known.items()}
    command.__annotations__ = annotations
    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=defaults.get(name, Parameter.empty),
                annotation=annotation,
            )
            for name, annotation in annotations.items()
        ]
    )
