"""Every option and argument that commands share, declared once.

A value comes from the flag, else the environment, else the configuration file, else the default.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from healthpipe.cli.configuration import load_configuration
from healthpipe.contract import Reason
from healthpipe.words import (
    MAX_DAYS,
    MAX_MONTHS,
    Accredited,
    EngineName,
    FirstAccreditation,
    Format,
    Grain,
    LogFormat,
    QuarantineGroup,
)

# The environment variables follow one pattern, so --help does not list them.
_option = partial(typer.Option, show_envvar=False)


def _environment(name: str) -> str:
    return f"HEALTHPIPE_{name}"


Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE",
        help="Files, folders, globs, or - for standard input.  (default: <root>/raw)",
        show_default=False,
    ),
]
RootOption = Annotated[
    str,
    _option("--root", envvar=_environment("ROOT"), help="Folder of raw files, runs, results."),
]
EngineOption = Annotated[
    EngineName, _option("--engine", envvar=_environment("ENGINE"), help="What runs the SQL.")
]
AsOfOption = Annotated[
    str | None,
    _option(
        "--as-of",
        metavar="DATE",
        envvar=_environment("AS_OF"),
        help="The day that counts as today, YYYY-MM-DD.  (default: today in UTC)",
        show_default=False,
    ),
]
SnapshotOption = Annotated[
    str,
    _option(
        "--snapshot",
        metavar="latest|newest|DATE",
        envvar=_environment("SNAPSHOT"),
        help="Each facility's latest record; only the newest snapshot; the latest up to a day.",
    ),
]
OutputOption = Annotated[
    str | None,
    _option(
        "--output",
        "-o",
        metavar="PATH|-",
        envvar=_environment("OUTPUT"),
        help="Where the result goes; - is standard output.  (default: the run's own folder)",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Format | None,
    _option(
        "--format",
        envvar=_environment("FORMAT"),
        help="Format of the result.  (default: by the suffix of -o, else the stage's own)",
        show_default=False,
    ),
]
MonthsOption = Annotated[
    int | None,
    _option(
        "--months",
        envvar=_environment("MONTHS"),
        min=0,
        max=MAX_MONTHS,
        help="Calendar months ahead that count as expiring.  (default: 6)",
        show_default=False,
    ),
]
DaysOption = Annotated[
    int | None,
    _option(
        "--days",
        envvar=_environment("DAYS"),
        min=0,
        max=MAX_DAYS,
        help="Days ahead instead of months.",
        show_default=False,
    ),
]
IncludeExpiredOption = Annotated[
    bool,
    _option(
        "--include-expired",
        envvar=_environment("INCLUDE_EXPIRED"),
        help="Count every earlier date as expiring, too.",
    ),
]
FirstAccreditationOption = Annotated[
    FirstAccreditation,
    _option(
        "--first-accreditation",
        envvar=_environment("FIRST_ACCREDITATION"),
        help="Which accreditation is the first: the one listed first, or the earliest date.",
    ),
]
OnlyAccreditedOption = Annotated[
    bool,
    _option(
        "--only-accredited",
        envvar=_environment("ONLY_ACCREDITED"),
        help="Leave out facilities that are not accredited (see --accredited).",
    ),
]
AccreditedOption = Annotated[
    Accredited,
    _option(
        "--accredited",
        envvar=_environment("ACCREDITED"),
        help="Accredited by an accreditation valid on that day, or by any at all.",
    ),
]
TopOption = Annotated[
    int | None,
    _option(
        "--top",
        envvar=_environment("TOP"),
        min=1,
        metavar="N",
        help="Only the N facilities with the earliest date that is still to come.",
        show_default=False,
    ),
]
GrainOption = Annotated[
    Grain,
    _option(
        "--grain",
        envvar=_environment("GRAIN"),
        help="A row for each facility, or for each accreditation that expires.",
    ),
]
AnnotateOption = Annotated[
    bool,
    _option(
        "--annotate",
        envvar=_environment("ANNOTATE"),
        help="Add the accreditations that expire to each record, under the key expiring.",
    ),
]
IncludeZeroOption = Annotated[
    bool,
    _option(
        "--include-zero",
        envvar=_environment("INCLUDE_ZERO"),
        help="A row for every state and territory, also without a facility.",
    ),
]
StrictStatesOption = Annotated[
    bool,
    _option(
        "--strict-states",
        envvar=_environment("STRICT_STATES"),
        help="What is not recognised as a state counts as UNKNOWN.",
    ),
]
RuleOption = Annotated[
    list[str] | None,
    _option(
        "--rule",
        metavar="REASON=reject|warn|off",
        envvar=_environment("RULE"),
        help="Move a rule; may be repeated. See `healthpipe describe rules`.",
        show_default=False,
    ),
]
StrictOption = Annotated[
    bool,
    _option("--strict", envvar=_environment("STRICT"), help="Reject lines for every rule."),
]
IdPatternOption = Annotated[
    str | None,
    _option(
        "--id-pattern",
        metavar="REGEX",
        envvar=_environment("ID_PATTERN"),
        help="What a whole facility id looks like, for example '[A-Z]{2}-[0-9]{4}'.",
        show_default=False,
    ),
]
SpreadsheetSafeOption = Annotated[
    bool,
    _option(
        "--spreadsheet-safe",
        envvar=_environment("SPREADSHEET_SAFE"),
        help="In CSV, an apostrophe before texts that a spreadsheet would run as formulas.",
    ),
]
RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN_ID",
        help="The run whose rejected lines are meant.  (default: the newest)",
        show_default=False,
    ),
]
RunOption = Annotated[
    str | None,
    _option(
        "--run",
        metavar="RUN_ID",
        envvar=_environment("RUN"),
        help="The run whose rejected lines are meant.  (default: the newest)",
        show_default=False,
    ),
]
MendedArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="The mended lines; - is standard input.")
]
ReasonOption = Annotated[
    Reason | None,
    _option(
        "--reason",
        metavar="REASON",
        envvar=_environment("REASON"),
        help="Only lines rejected for this reason, as `quarantine list` names it.",
        show_default=False,
    ),
]
SourceOption = Annotated[
    str | None,
    _option(
        "--source",
        metavar="NAME",
        envvar=_environment("SOURCE"),
        help="Only lines of this file, as `quarantine list --by file` names it.",
        show_default=False,
    ),
]
ByOption = Annotated[
    QuarantineGroup,
    _option("--by", envvar=_environment("BY"), help="What the lines are counted by."),
]
LimitOption = Annotated[
    int, _option("--limit", envvar=_environment("LIMIT"), min=1, help="The most lines shown.")
]
WithResolvedOption = Annotated[
    bool,
    _option("--all", envvar=_environment("ALL"), help="Lines that are resolved already, too."),
]
JsonOption = Annotated[
    bool,
    _option("--json", envvar=_environment("JSON"), help="Print one JSON document instead."),
]
QuietOption = Annotated[
    bool,
    _option(
        "--quiet", "-q", envvar=_environment("QUIET"), help="Only warnings, errors and alerts."
    ),
]
DebugOption = Annotated[
    bool,
    _option("--debug", envvar=_environment("DEBUG"), help="Show tracebacks of errors."),
]
LogFormatOption = Annotated[
    LogFormat,
    _option("--log-format", envvar=_environment("LOG_FORMAT"), help="Look of messages."),
]
ConfigOption = Annotated[
    Path | None,
    _option(
        "--config",
        envvar=_environment("CONFIG"),
        callback=load_configuration,
        is_eager=True,
        help="TOML file with options.  (default: healthpipe.toml, if there)",
        show_default=False,
    ),
]
