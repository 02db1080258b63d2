"""Every option and argument that commands share, declared once.

A value comes from the flag, else the environment, else the configuration file, else the default.
"""

import tomllib
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from healthpipe.errors import UsageError
from healthpipe.words import (
    MAX_DAYS,
    MAX_MONTHS,
    Accredited,
    EngineName,
    FirstAccreditation,
    Format,
    LogFormat,
)

DEFAULT_CONFIG = Path("healthpipe.toml")


# The environment variables follow one pattern, so --help does not list them.
_option = partial(typer.Option, show_envvar=False)


def _environment(name: str) -> str:
    return f"HEALTHPIPE_{name}"


def _load_configuration(context: typer.Context, path: Path | None) -> Path | None:
    """Make a configuration file's values the defaults of the command's options."""
    if path is None and not DEFAULT_CONFIG.is_file():
        return None
    path = path or DEFAULT_CONFIG
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML", str(error)) from error
    command = context.command.name or ""
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    shared = {key: value for key, value in values.items() if key not in tables}
    _require_known(context, path, shared, tables)
    own = shared | tables.get(command, {})
    context.default_map = {key.replace("-", "_"): value for key, value in own.items()}
    return path


def _require_known(
    context: typer.Context, path: Path, shared: dict[str, Any], tables: dict[str, Any]
) -> None:
    """Refuse keys that are no option: at the top, of any command; in a table, of its command."""
    group: Any = context.find_root().command
    options = {name: _option_keys(command) for name, command in group.commands.items()}
    unknown = set(shared) - set().union(*options.values())
    for name, table in tables.items():
        unknown |= {f"{name}.{key}" for key in set(table) - options.get(name, set())} or (
            set() if name in options else {name}
        )
    if unknown:
        raise UsageError(
            f"{path} has unknown keys: {', '.join(sorted(unknown))}",
            "keys are the long names of options, at the top or in a table named as a command",
        )


def _option_keys(command: Any) -> set[str]:
    """The keys of a command's options: their long names without the dashes."""
    flags = (flag for parameter in command.params for flag in (*parameter.opts, parameter.name))
    keys = {flag.removeprefix("--") for flag in flags if flag}
    return (keys | {key.replace("_", "-") for key in keys}) - {"help", "config"}


Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SOURCE]...",
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
        callback=_load_configuration,
        is_eager=True,
        help="TOML file with options.  (default: healthpipe.toml, if there)",
        show_default=False,
    ),
]
