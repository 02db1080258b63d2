"""Values of options from the configuration file and the environment, and where each came from.

The file's values become the defaults of a command's options. Messages about a wrong value name
the variable, or the file and its key; variables that look like a setting but set nothing are
warned of.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from healthpipe.cli.console import log
from healthpipe.errors import UsageError

PREFIX = "HEALTHPIPE_"
# What the product reads beside its options, see `healthpipe.storage.s3.cache`.
OTHER_VARIABLES = {"HEALTHPIPE_CACHE", "HEALTHPIPE_CACHE_BYTES"}
# Variables of the test suites.
TEST_PREFIX = "HEALTHPIPE_TEST_"
_FLAG = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
ANY_KEY = ".*"  # stands for the line of a table of TABLES that a message is about

# The context of the command that runs; the file and the key that each of its parameters came from.
_call: list[tuple[Any, Path | None, Mapping[str, str]]] = []


def remember_call(context: Any, path: Path | None, keys: Mapping[str, str]) -> None:
    """Keep the context of the command that runs, and the file's key of each parameter's value."""
    _call[:] = [(context, path, keys)]


def with_places(message: str) -> str:
    """Put before a message where the options that it names came from, if no flag gave them."""
    places = dict.fromkeys(
        place.replace(ANY_KEY, _key_after(flag, message))
        for flag in _FLAG.findall(message)
        for place in _places_of(flag)
    )
    return f"{' and '.join(places)}: {message}" if places else message


def _key_after(flag: str, message: str) -> str:
    found = re.search(rf"{flag} '?([\w.-]+)", message)
    return f".{found[1]}" if found else ""


def _places_of(flag: str) -> Iterator[str]:
    for context, path, keys in _call:
        for parameter in context.command.params:
            if flag in parameter.opts:
                source = context.get_parameter_source(parameter.name)
                source_name = source.name if source else ""
                if source_name == "ENVIRONMENT":
                    yield f"{parameter.envvar} in the environment"
                elif source_name == "DEFAULT_MAP" and parameter.name in keys:
                    yield f"{keys[parameter.name]} in {path}"


def warn_of_unknown_variables(context: Any) -> None:
    """Warn of each variable of the environment that is named like a setting and is none."""
    given = {name for name in os.environ if name.startswith(PREFIX)} - OTHER_VARIABLES
    given = {name for name in given if not name.startswith(TEST_PREFIX)}
    if given <= set(_variables(context.command)):
        return
    from difflib import get_close_matches

    command_line = context.find_root().command
    command_line.load_all()
    known = {*_variables(command_line), *OTHER_VARIABLES}
    for name in sorted(given - known):
        words = [each.removeprefix(PREFIX) for each in known]
        nearest = get_close_matches(name.removeprefix(PREFIX), words, n=1)
        option = f"--{name.removeprefix(PREFIX).lower().replace('_', '-')}"
        if option in ONE_CALL:
            hint = f"{option} is given on the command line only, for one call"
        elif nearest:
            hint = f"did you mean {PREFIX}{nearest[0]}?"
        else:
            hint = "settings are named as options: --as-of as HEALTHPIPE_AS_OF"
        log.warning(f"healthpipe: {name} in the environment sets nothing; {hint}")


def _variables(command: Any) -> Iterator[str]:
    """List the variables that set options of a command, or of all commands of a group."""
    for each in getattr(command, "commands", {}).values():
        yield from _variables(each)
    yield from (each.envvar for each in command.params if each.envvar)


DEFAULT_CONFIG = Path("healthpipe.toml")
# Tables whose lines are values, as REASON=VALUE, of an option that may be repeated.
TABLES = {"rules": "rule", "gates": "gate", "unpack": "unpack-limit"}
# Options of a single call, which would do harm as defaults: set on the command line only, neither
# in the configuration file nor in the environment.
ONE_CALL = {
    *(
        "--accept",
        "--accept-drop",
        "--all",
        "--config",
        "--dry-run",
        "--force",
        "--help",
        "--help-all",
        "--probe",
    ),
    *("--reason", "--run", "--source", "--test"),
}


def load_configuration(context: typer.Context, path: Path | None) -> Path | None:
    """Make a configuration file's values the defaults of the command's options.

    Raises `UsageError` for a file that cannot be read, or has keys that no command knows.
    """
    remember_call(context, None, {})
    if path is None and not DEFAULT_CONFIG.is_file():
        return None
    path = path or DEFAULT_CONFIG
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML", str(error)) from error
    of_tables = _make_table_options(values)
    of_tables |= _make_nulls_option(values, path)
    command_line: Any = context.find_root().command
    command_line.load_all()  # a file serves all commands
    unknown = _unknown_keys(command_line, values)
    if unknown:
        raise UsageError(
            f"{path} has unknown keys: {', '.join(sorted(unknown))}",
            "keys are the long names of options, at the top or in a table named as a command; "
            "what is meant for one call, such as --force, is given on the command line",
        )
    own: dict[str, Any] = {}
    keys: dict[str, str] = {}
    table = ""
    for name in ("", *_command_path(context)):
        values = values.get(name, {}) if name else values
        table += f"{name}." if name else ""
        options = {key: value for key, value in values.items() if not isinstance(value, dict)}
        own |= {key.replace("-", "_"): value for key, value in options.items()}
        keys |= {key.replace("-", "_"): f"{table}{key}" for key in options}
    # In the table of a command a key is the name of one of its flags: `days` of `runs prune` sets
    # the parameter prune_days.
    parameters = {
        flag.removeprefix("--"): parameter.name
        for parameter in context.command.params
        for flag in parameter.opts
    }
    own |= {parameters[key]: value for key, value in options.items() if key in parameters}
    keys |= {parameters[key]: f"{table}{key}" for key in options if key in parameters}
    remember_call(context, path, keys | of_tables)
    context.default_map = own
    return path


def _make_table_options(values: dict[str, Any]) -> dict[str, str]:
    """Turn a table of TABLES into its option, once for each line; returns what each came from."""
    places = {}
    for table, option in TABLES.items():
        if isinstance(values.get(table), dict):
            values[option] = [f"{key}={value}" for key, value in values.pop(table).items()]
            places[option.replace("-", "_")] = f"{table}{ANY_KEY}"
    return places


def _make_nulls_option(values: dict[str, Any], path: Path) -> dict[str, str]:
    """Turn a table [nulls] into --null-words; returns the parameter with its key in the file.

    Raises `UsageError`.
    """
    nulls = values.get("nulls")
    if not isinstance(nulls, dict):
        return {}
    if unknown := set(nulls) - {"words"}:
        raise UsageError(f"{path} has unknown keys: nulls.{min(unknown)}", "[nulls] has `words`")
    words = nulls.get("words")
    if not isinstance(words, list) or not all(
        isinstance(w, str) and w.strip() and "," not in w for w in words
    ):
        from healthpipe.stages.rules import ALLOWED_NULL_WORDS

        raise UsageError(
            f"nulls.words in {path} is not a list of words",
            f'write for example words = ["N/A", "none"]; {ALLOWED_NULL_WORDS}',
        )
    del values["nulls"]
    values["null-words"] = ",".join(words)
    return {"null_words": "nulls.words"}


def _command_path(context: typer.Context) -> list[str]:
    """List the names that lead to a command: of its group, if it is in one, and its own."""
    parent: Any = context.parent
    return [*_command_path(parent), context.info_name or ""] if parent else []


def _unknown_keys(command: Any, table: dict[str, Any], prefix: str = "") -> set[str]:
    """Find the keys that are no option: of the command that a table is named as, or, at the top
    and in the table of a group, of any command below.
    """
    commands = getattr(command, "commands", {})
    unknown: set[str] = set()
    for key, value in table.items():
        if isinstance(value, dict) and key in commands:
            unknown |= _unknown_keys(commands[key], value, f"{prefix}{key}.")
        elif key not in _option_keys(command):
            unknown.add(f"{prefix}{key}")
    return unknown


def _option_keys(command: Any) -> set[str]:
    """List the keys of a command's options, their long names without dashes; of a group, of all."""
    if commands := getattr(command, "commands", {}):
        return set().union(*map(_option_keys, commands.values()))
    persistent = (each for each in command.params if not ONE_CALL.intersection(each.opts))
    flags = (flag for parameter in persistent for flag in (*parameter.opts, parameter.name))
    keys = {flag.removeprefix("--") for flag in flags if flag}
    return keys | {key.replace("_", "-") for key in keys}
