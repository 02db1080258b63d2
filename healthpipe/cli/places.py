"""Where the values of options came from, for messages: a variable of the environment or a key of
the configuration file; and variables that look like a setting but set nothing.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from healthpipe.cli.console import log

PREFIX = "HEALTHPIPE_"
# What the product reads beside its options, see `healthpipe.storage.s3.cache`.
OTHER_VARIABLES = {"HEALTHPIPE_CACHE", "HEALTHPIPE_CACHE_BYTES"}
# Variables of the test suites.
TEST_PREFIX = "HEALTHPIPE_TEST_"
_FLAG = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")

# The context of the command that runs; the file and the key that each of its parameters came from.
_call: list[tuple[Any, Path | None, Mapping[str, str]]] = []


def remember_call(context: Any, path: Path | None, keys: Mapping[str, str]) -> None:
    """Keep the context of the command that runs, and the file's key of each parameter's value."""
    _call[:] = [(context, path, keys)]


def with_places(message: str) -> str:
    """Put before a message where the options that it names came from, if no flag gave them."""
    places = dict.fromkeys(place for flag in _FLAG.findall(message) for place in _places_of(flag))
    return f"{' and '.join(places)}: {message}" if places else message


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
        example = "settings are named as options: --as-of as HEALTHPIPE_AS_OF"
        hint = f"did you mean {PREFIX}{nearest[0]}?" if nearest else example
        log.warning(f"healthpipe: {name} in the environment sets nothing; {hint}")


def _variables(command: Any) -> Iterator[str]:
    """List the variables that set options of a command, or of all commands of a group."""
    for each in getattr(command, "commands", {}).values():
        yield from _variables(each)
    yield from (each.envvar for each in command.params if each.envvar)
