"""From a command's options to those of its stage."""

from collections.abc import Mapping
from typing import Any

import typer

from healthpipe.stages.options import OPTION_WORDS, StageOptions, options_from_words


def stage_options(context: typer.Context, given: Mapping[str, Any]) -> StageOptions:
    """What a command was given about the meaning of records. Raises `UsageError`."""
    return options_from_words(given["as_of"], option_words(context, given))


def option_words(context: typer.Context, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a command was given about the meaning of records but for the as-of date, as it was
    written; `options_from_words` takes it.
    """
    window = {name: given[name] for name in ("months", "days") if name in given}
    words = {name: given[name] for name in OPTION_WORDS if name in given}
    return {**words, **dict.fromkeys(window), **_most_explicit(context, window)}


def _most_explicit(context: typer.Context, given: Mapping[str, Any]) -> dict[str, Any]:
    """Of values that exclude each other those from the most explicit place.

    A --days on the command line sets aside the months of a configuration file.
    """
    places = ("DEFAULT", "DEFAULT_MAP", "ENVIRONMENT", "COMMANDLINE")
    rank = {
        name: places.index(source.name) if source else 0
        for name in given
        for source in [context.get_parameter_source(name)]
    }
    return {name: value for name, value in given.items() if rank[name] == max(rank.values())}
