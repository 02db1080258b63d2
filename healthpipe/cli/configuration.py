"""The configuration file: its values become the defaults of a command's options."""

import tomllib
from pathlib import Path
from typing import Any

import typer

from healthpipe.errors import UsageError

DEFAULT_CONFIG = Path("healthpipe.toml")


def load_configuration(context: typer.Context, path: Path | None) -> Path | None:
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
    _make_rules_options(values)
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    shared = {key: value for key, value in values.items() if key not in tables}
    _require_known(context, path, shared, tables)
    own = shared | tables.get(command, {})
    context.default_map = {key.replace("-", "_"): value for key, value in own.items()}
    return path


def _make_rules_options(values: dict[str, Any]) -> None:
    """A table [rules] is the same as --rule for each of its lines."""
    rules = values.get("rules")
    if isinstance(rules, dict):
        del values["rules"]
        values["rule"] = [f"{reason}={severity}" for reason, severity in rules.items()]


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
