"""The published datasets as Glue tables of stable names, which follow the pointer to the live run.

The pointer is the only truth: a table that lags behind shows the run before, until the next run.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import Format, PublishedStage
from healthpipe.engines.athena.glue import CSV, LINES, PARQUET, Catalog, Serde, Table
from healthpipe.engines.athena.schema import glue_type
from healthpipe.engines.sql import column_names, columns
from healthpipe.errors import UsageError
from healthpipe.storage.layout import Root

# The table parameters by which a table tells what it shows.
ROOT, GENERATION, RUN_ID = "healthpipe.root", "healthpipe.generation", "healthpipe.run_id"
RECORD = "record"


@dataclass(frozen=True)
class PublishedFile:
    """A file of the live run: its path below the root, the stage it is of, and its format."""

    path: str
    stage: str
    format: str


@dataclass(frozen=True)
class LiveRun:
    """The live run: its id, the pointer's generation, and its files."""

    run_id: str
    generation: int
    files: tuple[PublishedFile, ...]

    @classmethod
    def from_json(cls, pointer: Mapping[str, Any]) -> Self:
        """The run that the pointer's document (`current.json`) names."""
        files = tuple(
            PublishedFile(file["path"], file["stage"], file["format"]) for file in pointer["files"]
        )
        return cls(pointer["run_id"], pointer["generation"], files)


@dataclass(frozen=True)
class Dataset:
    """A table, and the stage and the format of the published files that it shows."""

    name: str
    stage: PublishedStage
    format: Format
    serde: Serde
    columns: Callable[[], Mapping[str, str]]


def _extract_columns() -> dict[str, str]:
    return {column.name: glue_type(column.type) for column in columns("extract")}


def _state_counts_columns() -> dict[str, str]:
    """All as strings: the reader of CSV knows no other type."""
    return dict.fromkeys(column_names("state_counts"), "string")


DATASETS = (
    Dataset("extract", PublishedStage.EXTRACT, Format.PARQUET, PARQUET, _extract_columns),
    # A record as it came, byte for byte, in one column.
    Dataset(
        "expiring",
        PublishedStage.FILTER_EXPIRING,
        Format.NDJSON,
        LINES,
        lambda: {RECORD: "string"},
    ),
    Dataset("state_counts", PublishedStage.STATE_COUNTS, Format.CSV, CSV, _state_counts_columns),
)


def update_tables(settings: AthenaSettings, root: Root, run: LiveRun) -> None:
    """Make the tables show the files of the live run.

    Raises `UsageError` for a table of that name that is not this root's, and `ServiceFailed`.
    """
    catalog = Catalog.of(settings)
    catalog.ensure_database()
    parameters = _parameters(root, run)
    for dataset, files in _datasets_of(root, run):
        current = catalog.table_parameters(dataset.name)
        if current is not None and current.get(ROOT) != root.uri:
            raise UsageError(
                f"the table {settings.database}.{dataset.name} is not of this root",
                "give another --database, or drop the table",
            )
        table = Table(dataset.name, dataset.columns(), dataset.serde, parameters)
        folder = f"{root.state}/tables/{run.generation}/{dataset.name}"
        catalog.put(table, files, root.storage, folder)


def lagging_tables(settings: AthenaSettings, root: Root, run: LiveRun) -> list[str]:
    """The names of the tables that do not show the files of the live run.

    Raises `UsageError` and `ServiceFailed`.
    """
    catalog, wanted = Catalog.of(settings), _parameters(root, run).items()
    names = [dataset.name for dataset, _ in _datasets_of(root, run)]
    current = {name: catalog.table_parameters(name) for name in names}
    return [
        name
        for name, parameters in current.items()
        if parameters is None or not wanted <= parameters.items()
    ]


def _datasets_of(root: Root, run: LiveRun) -> Iterator[tuple[Dataset, list[str]]]:
    """The datasets that were published in the format of their table, each with its files' URIs."""
    for dataset in DATASETS:
        files = [
            f"{root.uri}/{file.path}"
            for file in run.files
            if (file.stage, file.format) == (dataset.stage, dataset.format)
        ]
        if files:
            yield dataset, files


def _parameters(root: Root, run: LiveRun) -> dict[str, str]:
    """The table parameters of tables that show a run."""
    return {ROOT: root.uri, GENERATION: str(run.generation), RUN_ID: run.run_id}
