"""Write views as files, at once or in parts, and look at a few rows of a result.

An engine on this machine writes each file itself. One elsewhere writes Parquet and records in
parts, where it computes; each part is read once, to be counted and hashed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.choices import Format
from healthpipe.engines.base import Engine, Query, Row
from healthpipe.engines.result_files import count_rows
from healthpipe.stages.catalog import JSON_FORMATS, RECORD, Outputs, Stage, View
from healthpipe.stages.options import StageOptions
from healthpipe.storage.base import Storage


@dataclass(frozen=True)
class Provenance:
    """Where the rows of a result come from: the `metadata` of a view that is a document.

    `as_of` and `generated_at` are ISO 8601; `query_ids` are of queries that ran elsewhere.
    """

    run_id: str
    as_of: str
    generated_at: str
    sources: Sequence[str]
    engine: str
    query_ids: Sequence[str]


@dataclass(frozen=True)
class ResultPlace:
    """The empty folder `uri` of `storage`, where an engine elsewhere may write results itself."""

    storage: Storage
    uri: str


@dataclass(frozen=True)
class WrittenFile:
    """A finished file: its view and name, its size in rows and bytes, its SHA-256 in hex.

    `uri` is where it is if the engine has written it to its place itself.
    """

    view: str
    name: str
    format: Format
    rows: int
    bytes: int
    sha256: str
    uri: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The file's entry in documents, where its path stands beside."""
        return {key: value for key, value in asdict(self).items() if key not in ("name", "uri")}


@dataclass(frozen=True)
class Writer:
    """Writes views over the relation `current` of an engine.

    Rows of `current` that are `in_input_order` need no sorting for that. `provenance` is where
    the rows come from. At a `place` an engine elsewhere writes large results itself.
    """

    engine: Engine
    options: StageOptions
    provenance: Provenance
    in_input_order: bool = False
    place: ResultPlace | None = None

    def write_all(self, outputs: Outputs, folder: Path) -> list[WrittenFile]:
        """Write each view in its format as a new file of `folder`, or in parts to its place."""
        folder.mkdir(parents=True, exist_ok=True)
        written: list[WrittenFile] = []
        for view, fmt in outputs:
            define_relations(self.engine, view, self.options)
            path = folder / view.file_name(fmt)
            written += self._unload(view, fmt) or [self._write(view, fmt, path)]
        return written

    def _unload(self, view: View, fmt: Format) -> list[WrittenFile]:
        """Have an engine elsewhere write a view to the place, in the formats that it can write.

        Returns nothing where the engine computes on this machine, or the result has no rows: then
        nobody has written a file with its schema.
        """
        is_lines = view.has_records and fmt is Format.NDJSON
        if self.place is None or not (is_lines or fmt is Format.PARQUET):
            return []
        query = view.query(self.options)
        if is_lines:
            query = query.only(RECORD)
        uris = sorted(self.engine.unload(query, f"{self.place.uri}/{view.name}", fmt) or ())
        names = part_names(view.file_name(fmt), len(uris))
        parts = []
        for name, uri in zip(names, uris, strict=True):
            raise_if_cancelled()
            local = self.place.storage.local_copy(uri)
            part = _describe_file(view, fmt, local, count_rows(local, fmt))
            parts.append(replace(part, name=name, uri=uri))
        return parts

    def _write(self, view: View, fmt: Format, path: Path) -> WrittenFile:
        query = view.query(self.options)
        if view.has_records and fmt in JSON_FORMATS:
            rows = self._write_records(view, query.only(RECORD), path)
            if fmt is Format.JSON:
                _make_array(path)
        elif fmt is Format.CSV and self.options.spreadsheet_safe:
            rows = self.engine.write(query.spreadsheet_safe(), path, fmt)
        elif view.has_records and fmt is Format.PARQUET:
            rows = self.engine.write_table(query, path)
        else:
            rows = self.engine.write(query, path, fmt)
            if view.is_document and fmt is Format.JSON:
                _make_document(path, self.provenance)
        return _describe_file(view, fmt, path, rows)

    def _write_records(self, view: View, records: Query, path: Path) -> int:
        # A join with other relations loses the order.
        in_order = self.in_input_order and not view.relations
        return self.engine.write_lines(records.unordered() if in_order else records, path)


def define_relations(engine: Engine, view: View, options: StageOptions) -> None:
    """Make the relations that a view reads besides `current`."""
    for name in view.relations:
        engine.define(name, Query(name, options.values()))


def part_names(name: str, parts: int) -> list[str]:
    """The names of the parts of a file: `extract-00001.parquet`; its own where there is one."""
    if parts == 1:
        return [name]
    stem, dot, suffix = name.rpartition(".")
    return [f"{stem}-{number:05}{dot}{suffix}" for number in range(1, parts + 1)]


def _describe_file(view: View, fmt: Format, path: Path, rows: int) -> WrittenFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return WrittenFile(view.name, path.name, fmt, rows, path.stat().st_size, digest)


def _make_array(path: Path) -> None:
    """Turn a file of JSON lines into one JSON array, each line as it is."""
    lines = path.with_suffix(".lines")
    path.rename(lines)
    with lines.open("rb") as reader, path.open("wb") as writer:
        writer.write(b"[")
        for number, line in enumerate(reader):
            writer.write(b",\n" if number else b"\n")
            writer.write(line.removesuffix(b"\n"))
        writer.write(b"\n]\n")
    lines.unlink()


def _make_document(path: Path, provenance: Provenance) -> None:
    """Turn a file that is a JSON array into one JSON object of metadata and these rows."""
    rows = path.read_text(encoding="utf-8").strip()
    head = json.dumps({"metadata": asdict(provenance)}, indent=1).removesuffix("\n}")
    path.write_text(f'{head},\n "rows": {rows}\n}}\n', encoding="utf-8")


@dataclass(frozen=True)
class PreviewTable:
    """The first rows of a result for a terminal."""

    title: str
    columns: tuple[str, ...]
    rows: list[Row]


def preview_of(engine: Engine, stage: Stage, view: View, options: StageOptions) -> PreviewTable:
    """The first rows of the view, or of the stage's preview query where a view has records."""
    from healthpipe.engines.sql import column_names

    named = stage.preview.query if view.has_records else None
    query = Query(named, options.values()) if named else view.query(options)
    limits = (limit for limit in (stage.preview.limit, query.limit) if limit is not None)
    rows = engine.rows(replace(query, limit=min(limits, default=None)))
    return PreviewTable(stage.preview.title, column_names(query.name), rows)


def summary_facts(engine: Engine, stage: Stage) -> dict[str, int]:
    """The counts for the summary of a stage, by what they count."""
    return {what: engine.rows(Query(query))[0][0] for what, query in stage.facts.items()}
