"""Every option and argument that commands share, declared once.

A value comes from the flag, else the environment, else the configuration file, else the default.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from healthpipe.choices import EngineName, Format, LogFormat
from healthpipe.cli.config import load_configuration

# The environment variables follow one pattern, so --help does not list them.
option = partial(typer.Option, show_envvar=False)


def environment(name: str) -> str:
    """The name of an option's environment variable."""
    return f"HEALTHPIPE_{name}"


Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE",
        help="Files, folders, globs, s3:// URIs, or - for standard input.  (default: <root>/raw)",
        show_default=False,
    ),
]
RootOption = Annotated[
    str,
    option(
        "--root",
        envvar=environment("ROOT"),
        help="Folder, or s3://bucket/prefix, of raw files, runs, results.",
    ),
]
EngineOption = Annotated[
    EngineName, option("--engine", envvar=environment("ENGINE"), help="What runs the SQL.")
]
OutputOption = Annotated[
    str | None,
    option(
        "--output",
        "-o",
        metavar="PATH|S3URI|-",
        envvar=environment("OUTPUT"),
        help="Where the result goes; - is standard output.  (default: the run's own folder)",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Format | None,
    option(
        "--format",
        envvar=environment("FORMAT"),
        help="Format of the result.  (default: by the suffix of -o, else the stage's own)",
        show_default=False,
    ),
]
SpreadsheetSafeOption = Annotated[
    bool,
    option(
        "--spreadsheet-safe",
        envvar=environment("SPREADSHEET_SAFE"),
        help="In CSV, an apostrophe before texts that a spreadsheet would run as formulas.",
    ),
]
JsonOption = Annotated[
    bool,
    option("--json", envvar=environment("JSON"), help="Print one JSON document instead."),
]
QuietOption = Annotated[
    bool,
    option("--quiet", "-q", envvar=environment("QUIET"), help="Only warnings, errors and alerts."),
]
DebugOption = Annotated[
    bool,
    option("--debug", envvar=environment("DEBUG"), help="Show tracebacks of errors."),
]
LogFormatOption = Annotated[
    LogFormat,
    option("--log-format", envvar=environment("LOG_FORMAT"), help="Look of messages."),
]
ConfigOption = Annotated[
    Path | None,
    option(
        "--config",
        envvar=environment("CONFIG"),
        callback=load_configuration,
        is_eager=True,
        help="TOML file with options.  (default: healthpipe.toml, if there)",
        show_default=False,
    ),
]
