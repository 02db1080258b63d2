"""The commands that run one stage by hand, and those that print its SQL."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from healthpipe.choices import EngineName, Format, Grain
from healthpipe.cli.console import OutputSettings
from healthpipe.cli.options import (
    AthenaOptions,
    AwsOptions,
    CacheOption,
    DryRunOption,
    InputOptions,
    MemoryOptions,
    MessageOptions,
    ResultOptions,
    result_option,
)
from healthpipe.cli.options_meaning import (
    AccreditedOptions,
    FirstAccreditationOptions,
    RecordOptions,
    StateOptions,
    WindowOptions,
    ZeroOptions,
)
from healthpipe.cli.output import OutputTarget, names_in
from healthpipe.cli.render import log_stage_summary, print_data, show_preview
from healthpipe.cli.signature import OptionGroup, expand_options
from healthpipe.errors import OutputRefused, UsageError
from healthpipe.stages.catalog import STAGES, Stage
from healthpipe.text import suggested_command

if TYPE_CHECKING:
    from healthpipe.aws.session import AthenaSettings, AwsAccess
    from healthpipe.stages.options import RawOptions, StageOptions
    from healthpipe.storage.layout import Root
    from healthpipe.workflow.stage_run import StageRequest, StageResult


@dataclass(frozen=True)
class TopOptions:
    """How many facilities are shown."""

    top: Annotated[
        int | None,
        result_option(
            "--top",
            min=1,
            metavar="N",
            help="Only the N facilities with the earliest date that is still to come.",
        ),
    ] = None


@dataclass(frozen=True)
class ExpiringOptions:
    """What a row of the expiring is."""

    grain: Annotated[
        Grain,
        result_option(
            "--grain", help="A row for each facility, or for each accreditation that expires."
        ),
    ] = Grain.FACILITY
    annotate: Annotated[
        bool,
        result_option(
            "--annotate",
            help="Add the accreditations that expire to each record, under the key expiring.",
        ),
    ] = False


# The options of each stage, beside those of all stages: see `stage_command`.
STAGE_OPTIONS: dict[str, tuple[OptionGroup, ...]] = {
    "extract": (FirstAccreditationOptions, AccreditedOptions, TopOptions),
    "filter-expiring": (WindowOptions, ExpiringOptions, StateOptions),
    "state-counts": (AccreditedOptions, ZeroOptions, StateOptions),
    "normalize": (StateOptions,),
    "expiry-calendar": (WindowOptions,),
}


# What `orchestrate` takes of the same.
WORKFLOW_OPTIONS = (
    *(WindowOptions, FirstAccreditationOptions, AccreditedOptions, StateOptions, ZeroOptions),
)


@dataclass(frozen=True)
class StageArguments:
    """The option groups of a call of a stage's command, or of the one that prints its SQL."""

    inputs: InputOptions
    records: RecordOptions
    own: tuple[object, ...]
    result: ResultOptions
    aws: AwsOptions
    athena: AthenaOptions
    messages: MessageOptions

    def request(
        self, stage: Stage, context: typer.Context
    ) -> tuple["StageRequest", OutputTarget, OutputSettings]:
        """Check the options, and build the request of the stage. Raises `UsageError`."""
        raw = raw_options(context, self.records, *self.own, self.result)
        athena_settings = self.athena.settings(self.aws)
        settings = self.messages.apply()
        root, options = self.inputs.open(self.aws), raw.checked(self.records.as_of)
        target = OutputTarget(self.result.output, self.result.format, stage.is_folder)
        request = stage_request(stage, root, self.inputs, options, target, athena_settings)
        return request, target, settings

    def next_command(self, stage: Stage, context: typer.Context) -> str:
        """Compose the command to try next, about the same records."""
        command, *rest = stage.next_words
        from healthpipe.runs.record import ORCHESTRATE
        from healthpipe.runs.request import RunRequest

        groups = WORKFLOW_OPTIONS if command == ORCHESTRATE else STAGE_OPTIONS.get(command)
        if groups is None:
            return suggested_command(*stage.next_words)
        names = (field.name for group in (RecordOptions, *groups) for field in fields(group))
        raw = raw_options(context, self.records, *self.own)
        request = RunRequest(
            self.inputs.root,
            tuple(self.inputs.sources or ()),
            self.inputs.engine,
            raw_options=raw,
            **vars(self.aws) | vars(self.athena),
        )
        return request.command(command, *rest, as_of=self.records.as_of, **raw.flags(*names))


def stage_command(stage: Stage) -> Callable[..., None]:
    """Make the command of a stage."""

    def command(
        context: typer.Context,
        *,
        inputs: InputOptions,
        records: RecordOptions,
        own: tuple[object, ...],
        result: ResultOptions,
        cache: CacheOption = None,
        dry_run: DryRunOption = False,
        memory: MemoryOptions,
        aws: AwsOptions,
        athena: AthenaOptions,
        messages: MessageOptions,
    ) -> None:
        from healthpipe.cli.render import show_stage_plan

        arguments = StageArguments(inputs, records, own, result, aws, athena, messages)
        request, target, settings = arguments.request(stage, context)
        if cache and request.engine is EngineName.ATHENA:
            raise UsageError("--cache keeps lines on this machine, not for Athena", "drop --cache")
        request = replace(request, is_cached=cache)
        if dry_run:
            show_stage_plan(request, settings)
        else:
            run_and_show(request, target, settings, partial(arguments.next_command, stage, context))

    command.__doc__ = f"{stage.summary}\n\nFor example: {stage.example}"
    return expand_options(command, own=STAGE_OPTIONS[stage.name])


def sql_command(stage: Stage) -> Callable[..., None]:
    """Make the command that prints the statements of a stage."""

    def command(
        context: typer.Context,
        *,
        inputs: InputOptions,
        records: RecordOptions,
        own: tuple[object, ...],
        result: ResultOptions,
        aws: AwsOptions,
        athena: AthenaOptions,
        messages: MessageOptions,
    ) -> None:
        from healthpipe.cli.render import show_statements

        arguments = StageArguments(inputs, records, own, result, aws, athena, messages)
        request, _, settings = arguments.request(stage, context)
        show_statements(request, settings)

    command.__doc__ = f"Print the statements of {stage.name}."
    return expand_options(command, own=STAGE_OPTIONS[stage.name])


def raw_options(context: typer.Context, *groups: object) -> "RawOptions":
    """Collect the options about the meaning of records from all groups, as they were written."""
    from healthpipe.stages.options import RawOptions

    names = {field.name for field in fields(RawOptions)}
    written: dict[str, Any] = {
        field.name: getattr(group, field.name)
        for group in groups
        for field in fields(group)  # type: ignore[arg-type]
        if field.name in names
    }
    window = [name for name in written if name in ("months", "days")]
    for name in _less_explicit(context, window):
        written[name] = None
    return RawOptions(**written)


def _less_explicit(context: typer.Context, names: list[str]) -> list[str]:
    """Find which of options that exclude each other yield to a more explicit source.

    A --days on the command line sets aside the months of a configuration file.
    """
    sources = ("DEFAULT", "DEFAULT_MAP", "ENVIRONMENT", "COMMANDLINE")
    rank = {
        name: sources.index(source.name) if source else 0
        for name in names
        for source in [context.get_parameter_source(name)]
    }
    return [name for name in names if rank[name] != max(rank.values())]


def stage_request(
    stage: Stage,
    root: "Root",
    inputs: InputOptions,
    options: "StageOptions",
    target: OutputTarget,
    athena: "AthenaSettings",
) -> "StageRequest":
    """Check what can be refused before anything is done. Raises `UsageError`."""
    from healthpipe.engines import require_reachable_root
    from healthpipe.workflow.stage_run import StageRequest

    require_reachable_root(inputs.engine, root.uri)
    fmt, sources = target.chosen_format(), inputs.sources or []
    target.require_writable(sources or [root.raw], root.access)
    if target.path and stage.is_folder:
        _require_own_files(target.path, stage, root.access)
    return StageRequest(stage, root, sources, options, fmt, target.path, inputs.engine, athena)


def _require_own_files(folder: str, stage: Stage, access: "AwsAccess") -> None:
    """Refuse to replace a folder that holds anything but an earlier result of the stage."""
    own = {view.file_name(fmt) for view in stage.views for fmt in Format}
    foreign = [name for name in names_in(folder, access) if name not in own]
    if foreign:
        raise OutputRefused(
            f"-o {folder} holds other files, {foreign[0]} for one", "name a new folder"
        )


def run_and_show(
    request: "StageRequest",
    target: OutputTarget,
    settings: OutputSettings,
    next_command: Callable[[], str],
) -> None:
    """Run a stage, and print its result or where that is; on a terminal also what to do next."""
    if not target.is_standard_output:
        result = _run(request, settings)
        _show(result, settings, next_command)
        result.require_usable()
        return
    if settings.json:
        raise UsageError("-o - and --json both want standard output", "drop one of them")
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        path = Path(folder, "result")
        result = _run(replace(request, output=str(path), is_printed=True), settings)
        _show(result, settings, next_command)
        print_data(path, result.files[0].format)
        result.require_usable()


def _run(request: "StageRequest", settings: OutputSettings) -> "StageResult":
    from healthpipe.workflow.stage_run import run_stage

    with settings.session() as progress:
        return run_stage(replace(request, progress=progress, with_preview=settings.on_terminal))


def _show(result: "StageResult", settings: OutputSettings, next_command: Callable[[], str]) -> None:
    log_stage_summary(result)
    if settings.json:
        if result.is_usable:  # else the document is that of the error
            print(json.dumps(result.document))
    elif not settings.quiet and not result.request.is_printed:
        print(result.path)
    if preview := result.computed.preview:
        show_preview(preview, next_command())


extract = stage_command(STAGES["extract"])
filter_expiring = stage_command(STAGES["filter-expiring"])
state_counts = stage_command(STAGES["state-counts"])
normalize = stage_command(STAGES["normalize"])
expiry_calendar = stage_command(STAGES["expiry-calendar"])

sql = typer.Typer(
    name="sql",
    no_args_is_help=True,
    add_completion=False,
    help="Print the statements of a stage, exactly as they would run.",
)
for each in STAGES.values():
    sql.command(each.name)(sql_command(each))
