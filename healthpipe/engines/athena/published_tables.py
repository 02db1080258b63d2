"""The published datasets as tables of stable names, which follow the pointer to the live run.

The pointer is the only truth: a table that lags behind shows the run before, until the next run.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import Format, PublishedStage
from healthpipe.engines.athena.glue import CSV, LINES, PARQUET, Catalog, Serde, Table
from healthpipe.engines.athena.schema import glue_type
from healthpipe.engines.sql import column_names, columns
from healthpipe.errors import UsageError
from healthpipe.storage.layout import Root

ROOT, GENERATION, RUN_ID = "healthpipe.root", "healthpipe.generation", "healthpipe.run_id"
RECORD = "record"


@dataclass(frozen=True)
class Dataset:
    """A table, and which files of the pointer's document it shows."""

    name: str
    stage: PublishedStage
    format: Format
    serde: Serde
    columns: Callable[[], Mapping[str, str]]


def _extracted() -> dict[str, str]:
    return {column.name: glue_type(column.type) for column in columns("extract")}


def _counted() -> dict[str, str]:
    """All as texts: the reader of CSV knows no other type."""
    return dict.fromkeys(column_names("state_counts"), "string")


DATASETS = (
    Dataset("extract", PublishedStage.EXTRACT, Format.PARQUET, PARQUET, _extracted),
    # A record as it came, byte for byte, in one column.
    Dataset(
        "expiring",
        PublishedStage.FILTER_EXPIRING,
        Format.NDJSON,
        LINES,
        lambda: {RECORD: "string"},
    ),
    Dataset("state_counts", PublishedStage.STATE_COUNTS, Format.CSV, CSV, _counted),
)


def follow(settings: AthenaSettings, root: Root, document: Mapping[str, Any]) -> None:
    """Make the tables show the files of the pointer's document.

    Raises `UsageError` for a table of that name that is not this root's, and `ServiceFailed`.
    """
    catalog = Catalog.of(settings)
    catalog.ensure_database()
    notes = _notes(root, document)
    for dataset, files in _shown(root, document):
        known = catalog.notes(dataset.name)
        if known is not None and known.get(ROOT) != root.uri:
            raise UsageError(
                f"the table {settings.database}.{dataset.name} is not of this root",
                "give another --database, or drop the table",
            )
        table = Table(dataset.name, dataset.columns(), dataset.serde, notes)
        folder = f"{root.state}/tables/{document['generation']}/{dataset.name}"
        catalog.put(table, files, root.storage, folder)


def lagging(settings: AthenaSettings, root: Root, document: Mapping[str, Any]) -> list[str]:
    """The names of the tables that do not show the files of the pointer's document.

    Raises `UsageError` and `ServiceFailed`.
    """
    catalog, wanted = Catalog.of(settings), _notes(root, document)
    shown = ((dataset.name, catalog.notes(dataset.name)) for dataset, _ in _shown(root, document))
    return [name for name, notes in shown if notes is None or not wanted.items() <= notes.items()]


def _shown(root: Root, document: Mapping[str, Any]) -> Iterator[tuple[Dataset, list[str]]]:
    """The datasets that were published in the format of their table, each with its files."""
    for dataset in DATASETS:
        files = [
            f"{root.uri}/{file['path']}"
            for file in document["files"]
            if (file["stage"], file["format"]) == (dataset.stage, dataset.format)
        ]
        if files:
            yield dataset, files


def _notes(root: Root, document: Mapping[str, Any]) -> dict[str, str]:
    return {
        ROOT: root.uri,
        GENERATION: str(document["generation"]),
        RUN_ID: document["run_id"],
    }
