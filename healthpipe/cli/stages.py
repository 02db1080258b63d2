"""The commands that run one stage: extract, filter-expiring, state-counts."""

import typer

from healthpipe.cli.options import (
    AccreditedOption,
    AsOfOption,
    ConfigOption,
    DaysOption,
    DebugOption,
    EngineOption,
    FirstAccreditationOption,
    FormatOption,
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
from healthpipe.cli.shared import Manner, Place, most_explicit
from healthpipe.words import Accredited, EngineName, FirstAccreditation, LogFormat, StageName


def extract(
    sources: Sources = None,
    root: RootOption = "./data",
    engine: EngineOption = EngineName.DUCKDB,
    as_of: AsOfOption = None,
    snapshot: SnapshotOption = "latest",
    first_accreditation: FirstAccreditationOption = FirstAccreditation.LISTED,
    only_accredited: OnlyAccreditedOption = False,
    accredited: AccreditedOption = Accredited.CURRENT,
    output: OutputOption = None,
    format: FormatOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show the key figures of each facility.

    For example: healthpipe extract data/raw -o facilities.csv
    """
    from healthpipe.cli.run_stage import StageCommand
    from healthpipe.stages.options import choose_options

    options = choose_options(
        as_of,
        snapshot,
        accredited=accredited,
        first_accreditation=first_accreditation,
        only_accredited=only_accredited,
    )
    command = StageCommand(StageName.EXTRACT, root, engine, options, Place(output, format))
    command.run(sources or [], Manner(json, quiet, debug, log_format))


def filter_expiring(
    context: typer.Context,
    sources: Sources = None,
    root: RootOption = "./data",
    engine: EngineOption = EngineName.DUCKDB,
    as_of: AsOfOption = None,
    snapshot: SnapshotOption = "latest",
    months: MonthsOption = None,
    days: DaysOption = None,
    include_expired: IncludeExpiredOption = False,
    output: OutputOption = None,
    format: FormatOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """Keep the records with an accreditation that expires soon, as they came.

    For example: healthpipe filter-expiring --days 90 -o - | jq .facility_name
    """
    from healthpipe.cli.run_stage import StageCommand
    from healthpipe.stages.options import choose_options

    options = choose_options(
        as_of, snapshot, **most_explicit(context, months, days), include_expired=include_expired
    )
    command = StageCommand(StageName.FILTER_EXPIRING, root, engine, options, Place(output, format))
    command.run(sources or [], Manner(json, quiet, debug, log_format))


def state_counts(
    sources: Sources = None,
    root: RootOption = "./data",
    engine: EngineOption = EngineName.DUCKDB,
    as_of: AsOfOption = None,
    snapshot: SnapshotOption = "latest",
    accredited: AccreditedOption = Accredited.CURRENT,
    output: OutputOption = None,
    format: FormatOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """Count the accredited facilities of each state.

    For example: healthpipe state-counts --as-of 2026-01-01 --format json -o -
    """
    from healthpipe.cli.run_stage import StageCommand
    from healthpipe.stages.options import choose_options

    options = choose_options(as_of, snapshot, accredited=accredited)
    command = StageCommand(StageName.STATE_COUNTS, root, engine, options, Place(output, format))
    command.run(sources or [], Manner(json, quiet, debug, log_format))
