"""Results that an engine elsewhere has written in parts, where it computes: each read once.

What is looked at beside a result: a few of its rows, and counts for its summary.

A view becomes a file: rows by the engine, or lines of JSON as they are.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.choices import Format
from healthpipe.engines.base import Engine, Query, Row
from healthpipe.engines.result_files import count_rows
from healthpipe.engines.sql import column_names
from healthpipe.stages.catalog import JSON_FORMATS, RECORD, Stage, View
from healthpipe.stages.options import StageOptions
from healthpipe.storage.base import Storage


@dataclass(frozen=True)
class ResultPlace:
    """The empty folder `uri` of `storage`, where an engine elsewhere may write results itself."""

    storage: Storage
    uri: str


@dataclass(frozen=True)
class ResultPart:
    """A part of a result: where it lies, its size in rows and bytes, its SHA-256 in hex."""

    uri: str
    rows: int
    bytes: int
    sha256: str


def unload(engine: Engine, query: Query, place: ResultPlace, fmt: Format) -> list[ResultPart]:
    """Have a result written to a place, and look at what was written there.

    Nothing where the engine computes on this machine, or the result has no rows: then nobody has
    written a file with its schema.
    """
    parts = []
    for uri in sorted(engine.unload(query, place.uri, fmt) or ()):
        raise_if_cancelled()
        local = place.storage.local_copy(uri)
        with local.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        parts.append(ResultPart(uri, count_rows(local, fmt), local.stat().st_size, digest))
    return parts


def part_names(name: str, parts: int) -> list[str]:
    """The names of the parts of a file: `extract-00001.parquet`; its own where there is one."""
    if parts == 1:
        return [name]
    stem, dot, suffix = name.rpartition(".")
    return [f"{stem}-{number:05}{dot}{suffix}" for number in range(1, parts + 1)]


@dataclass(frozen=True)
class PreviewTable:
    """A few rows of a result for a person to look at, and what to do next."""

    title: str
    next_command: str
    columns: tuple[str, ...]
    rows: list[Row]


def preview_of(engine: Engine, stage: Stage, view: View, options: StageOptions) -> PreviewTable:
    """The first rows of the stage's preview query, or else of the view."""
    named = stage.preview.query
    query = Query(named, options.values()) if named else view.query(options)
    limits = (limit for limit in (stage.preview.limit, query.limit) if limit is not None)
    rows = engine.rows(replace(query, limit=min(limits, default=None)))
    return PreviewTable(stage.preview.title, stage.next_command, column_names(query.name), rows)


def summary_facts(engine: Engine, stage: Stage) -> dict[str, int]:
    """Counts beside the result, each by what it counts."""
    return {what: engine.rows(Query(query))[0][0] for what, query in stage.facts.items()}


Provenance = Mapping[str, Any]


@dataclass(frozen=True)
class WrittenFile:
    """A finished file: its view and name, its size in rows and bytes, its SHA-256 in hex.

    `uri` is where it lies if the engine has written it to its place itself.
    """

    view: str
    name: str
    format: Format
    rows: int
    bytes: int
    sha256: str
    uri: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in documents."""
        return {key: value for key, value in asdict(self).items() if key not in ("name", "uri")}


@dataclass(frozen=True)
class Writer:
    """Writes views over the relation `current` of an engine.

    Rows of `current` `in_input_order` need no sorting for that. `provenance` says in documents
    where their rows come from. At a `place` an engine elsewhere writes large results itself.
    """

    engine: Engine
    options: StageOptions
    provenance: Provenance
    in_input_order: bool = False
    place: ResultPlace | None = None

    def write_all(self, outputs: Sequence[tuple[View, Format]], folder: Path) -> list[WrittenFile]:
        """Write each view in its format as a new file of `folder`, or in parts to its place."""
        folder.mkdir(parents=True, exist_ok=True)
        written: list[WrittenFile] = []
        for view, fmt in outputs:
            define_relations(self.engine, view, self.options)
            path = folder / view.file_name(fmt)
            written += self._unload(view, fmt) or [self._write(view, fmt, path)]
        return written

    def _unload(self, view: View, fmt: Format) -> list[WrittenFile]:
        query = view.query(self.options)
        if view.has_records and fmt is Format.NDJSON:
            query = query.only(RECORD)
        elif fmt is not Format.PARQUET:
            return []
        if self.place is None:
            return []
        place = ResultPlace(self.place.storage, f"{self.place.uri}/{view.name}")
        parts = unload(self.engine, query, place, fmt)
        names = part_names(view.file_name(fmt), len(parts))
        return [
            WrittenFile(view.name, name, fmt, part.rows, part.bytes, part.sha256, part.uri)
            for name, part in zip(names, parts, strict=True)
        ]

    def _write(self, view: View, fmt: Format, path: Path) -> WrittenFile:
        query = view.query(self.options)
        if view.has_records and fmt in JSON_FORMATS:
            # A join with other relations loses the order.
            in_order = self.in_input_order and not view.reads
            rows = self._write_records(query.only(RECORD), path, fmt, in_order=in_order)
        elif fmt is Format.CSV and self.options.spreadsheet_safe:
            rows = self.engine.write(query.spreadsheet_safe(), path, fmt)
        else:
            rows = self.engine.write(query, path, fmt)
            if view.is_document and fmt is Format.JSON:
                _make_document(path, self.provenance)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return WrittenFile(view.name, path.name, fmt, rows, path.stat().st_size, digest)

    def _write_records(self, records: Query, path: Path, fmt: Format, *, in_order: bool) -> int:
        rows = self.engine.write_lines(records.unordered() if in_order else records, path)
        if fmt is Format.JSON:
            _make_array(path)
        return rows


def define_relations(engine: Engine, view: View, options: StageOptions) -> None:
    """Make the relations that a view reads besides `current`."""
    for name in view.reads:
        engine.define(name, Query(name, options.values()))


def _make_array(path: Path) -> None:
    """Make one JSON array of a file of JSON lines, each line as it is."""
    lines = path.with_suffix(".lines")
    path.rename(lines)
    with lines.open("rb") as reader, path.open("wb") as writer:
        writer.write(b"[")
        for number, line in enumerate(reader):
            writer.write(b",\n" if number else b"\n")
            writer.write(line.removesuffix(b"\n"))
        writer.write(b"\n]\n")
    lines.unlink()


def _make_document(path: Path, metadata: Provenance) -> None:
    """Make one JSON object of a file that is a JSON array: the metadata, and it as the rows."""
    rows = path.read_text(encoding="utf-8").strip()
    head = json.dumps({"metadata": metadata}, indent=1).removesuffix("\n}")
    path.write_text(f'{head},\n "rows": {rows}\n}}\n', encoding="utf-8")
