"""The names of an attempt's tables in Glue, by which others find them when it is dead."""

import re

from healthpipe.aws.access import AthenaSettings
from healthpipe.engines.athena.glue import Catalog

RAW, ROWS = "raw", "facilities"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def table_name(kind: str, token: str, number: int, relation: str) -> str:
    """`raw_20261121t074824z_abc123_curate_1_2_source`: the attempt's second, of a relation."""
    return f"{kind}_{_part(token)}_{number}_{relation}"


def drop_tables(settings: AthenaSettings, run_id: str) -> None:
    """Drop what the attempts of a run have left in Glue. Nobody may be running it.

    Raises `UsageError` or `ServiceFailed`.
    """
    catalog = Catalog.of(settings)
    for kind in (RAW, ROWS):
        catalog.drop(catalog.names(f"{kind}_{_part(run_id)}_"))


def _part(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text.lower())
