"""From a command's options to those of its stage."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import typer

from healthpipe.stages.options import StageOptions, choose_options
from healthpipe.stages.rules import Rules


def stage_options(context: typer.Context, given: Mapping[str, Any]) -> StageOptions:
    """What a command was given about the meaning of records. Raises `UsageError`."""
    names = {field.name for field in fields(StageOptions)} - {"as_of", "snapshot", "rules"}
    words = {name: value for name, value in given.items() if name in names}
    window = {name: given[name] for name in ("months", "days") if name in given}
    return choose_options(
        given["as_of"],
        given["snapshot"],
        **_most_explicit(context, window),
        include_expired=given.get("include_expired", False),
        rules=Rules.choose(
            given["rule"] or (), strict=given["strict"], id_pattern=given["id_pattern"]
        ),
        **words,
    )


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
