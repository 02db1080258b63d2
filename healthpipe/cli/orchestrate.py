"""The commands around the workflow: orchestrate, current."""

from typing import Annotated

import typer

from healthpipe.cli.options import (
    AccreditedOption,
    AsOfOption,
    ConfigOption,
    DaysOption,
    DebugOption,
    EngineOption,
    FirstAccreditationOption,
    IncludeExpiredOption,
    JsonOption,
    LogFormatOption,
    MonthsOption,
    OnlyAccreditedOption,
    OutputOption,
    QuietOption,
    RootOption,
    SnapshotOption,
    Sources,
)
from healthpipe.cli.shared import Manner, most_explicit
from healthpipe.words import Accredited, EngineName, FirstAccreditation, LogFormat, StageName


def orchestrate(
    context: typer.Context,
    sources: Sources = None,
    root: RootOption = "./data",
    engine: EngineOption = EngineName.DUCKDB,
    as_of: AsOfOption = None,
    snapshot: SnapshotOption = "latest",
    months: MonthsOption = None,
    days: DaysOption = None,
    include_expired: IncludeExpiredOption = False,
    first_accreditation: FirstAccreditationOption = FirstAccreditation.LISTED,
    only_accredited: OnlyAccreditedOption = False,
    accredited: AccreditedOption = Accredited.CURRENT,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """Run all stages and publish their results.

    For example: healthpipe orchestrate --quiet
    """
    from healthpipe.cli.run_workflow import run_workflow
    from healthpipe.stages.options import choose_options

    options = choose_options(
        as_of,
        snapshot,
        **most_explicit(context, months, days),
        include_expired=include_expired,
        first_accreditation=first_accreditation,
        only_accredited=only_accredited,
        accredited=accredited,
    )
    run_workflow(sources or [], root, engine, options, Manner(json, quiet, debug, log_format))


def current(
    stage: Annotated[
        StageName | None, typer.Argument(help="Only this stage's file.", show_default=False)
    ] = None,
    root: RootOption = "./data",
    output: OutputOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show where the live published files are, or with -o - what is in one.

    For example: healthpipe current state-counts -o -
    """
    from healthpipe.cli.run_workflow import show_current

    show_current(stage, root, output, Manner(json, quiet, debug, log_format))
