"""Name an example for each gate that failed: a file, a line, and the keys that were seen instead.

Only a run that fails reads them, from the issues and rejects that it kept and from its files. No
value of a record gets into a message: of a record only the names of keys that look like names.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from healthpipe.choices import Gate
from healthpipe.contract import RECORD_KEYS, TEXT_SPACE, Reason
from healthpipe.engines import open_embedded
from healthpipe.engines.base import Query, Row
from healthpipe.errors import HealthpipeError
from healthpipe.ingest.json_splitter import InvalidJson
from healthpipe.ingest.landing import read_records
from healthpipe.ingest.manifest import InputFile, Manifest, feed_of
from healthpipe.ingest.packing import NO_LIMITS, FileRefused
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.unpacking import Record
from healthpipe.publishing.audit import Audit
from healthpipe.publishing.gates import GateResult, Level
from healthpipe.runs.run import Run
from healthpipe.stages.curate import ISSUES, REJECTS

# How many records are looked at for the keys of a changed export, and how many keys are named.
MAX_RECORDS, MAX_KEYS = 1_000, 10
KEY = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,39}")
# The keys of the contract inside a field, by that field; the field itself by the empty text.
INNER_KEYS = {
    "": RECORD_KEYS,
    "location": frozenset(("address", "city", "state", "zip")),
    "accreditations": frozenset(("accreditation_body", "accreditation_id", "valid_until")),
}
# Where the keys of a record are looked at if one is missing: the field that would have it.
PARENTS = {
    Reason.FACILITY_NAME_MISSING: "",
    Reason.STATE_MISSING: "location",
    Reason.ACCREDITATION_DATE_MISSING: "accreditations",
}


def with_examples(run: Run, scratch: Path, found: Audit) -> Audit:
    """The audit of a run, with an example in the message of each result that failed."""
    examples = _Examples(run, scratch)
    return Audit(
        [examples.added_to(each) if each.level is Level.FAIL else each for each in found.findings]
    )


@dataclass(frozen=True)
class _Examples:
    """Finds examples in the files of a run."""

    run: Run
    scratch: Path

    @cached_property
    def files(self) -> dict[str, InputFile]:
        """The files of the run by name, those of later snapshots last."""
        manifest = Manifest.from_json(self.run.read_json("inputs.json"))
        files = sorted(manifest.files, key=lambda file: (file.folder_date or "", file.source))
        return {file.source: file for file in files}

    def added_to(self, result: GateResult) -> GateResult:
        """The result with an example in its message, if one is found."""
        try:
            text = self._text(result)
        except (HealthpipeError, OSError, FileRefused, InvalidJson):  # a file is gone meanwhile
            return result
        return replace(result, message=f"{result.message} ({text})") if text else result

    def _text(self, result: GateResult) -> str:
        match result.gate:
            case Gate.REJECTS:
                rows = self._kept(REJECTS, "example_rejects")
                return self._place_of(rows, _has_bytes, _parent_of_missing_id)
            case Gate.ISSUES:
                rows = self._kept(ISSUES, "example_issues")
                of_feed = (
                    (source, facility_id)
                    for source, reason, facility_id in rows
                    if reason == result.subject and feed_of(source) == result.feed
                )
                parent = PARENTS.get(Reason(result.subject or ""))
                return self._place_of(of_feed, _has_id, lambda _: parent)
            case Gate.REJECTED_FILES:
                refused = (each for each in reversed(self.files.values()) if each.refusal)
                return next((f"for example {each.described_refusal}" for each in refused), "")
            case Gate.FIELDS:
                return self._keys_of(result.feed or "", result.subject or "")
            case _:
                newest = self._newest(result.feed or "")
                return f"the newest file is {newest.source}" if newest else ""

    def _kept(self, name: str, query: str) -> list[Row]:
        """The rows of a query about the rejects or issues that the run has kept."""
        with open_embedded(self.scratch, self.run.root.access) as engine:
            copy = self.run.root.storage.local_copy(f"{self.run.uri}/{name}")
            engine.read_table(f"kept_{Path(name).stem}", [str(copy)])
            return engine.rows(Query(query))

    def _place_of(
        self,
        rows: Any,
        is_it: Callable[[Record, Any], bool],
        parent_of: Callable[[Record], str | None],
    ) -> str:
        """The place of a record in the newest of the files that rows name.

        With the keys that it has inside of its field `parent_of`, where a key is missing there.
        """
        wanted = dict(rows)
        source = next((name for name in reversed(self.files) if name in wanted), None)
        if source is None:
            return ""
        found = next((r for r in self._records(source) if is_it(r, wanted[source])), None)
        if found is None:
            return f"for example {source}"
        parent = parent_of(found)
        keys = "" if parent is None else _keys_text([found], parent)
        return f"for example {source} line {found.place}{keys}"

    def _keys_of(self, feed: str, field: str) -> str:
        """The keys that the records of a feed's newest file have in place of a field."""
        newest = self._newest(feed)
        if newest is None:
            return ""
        in_accreditations = field in INNER_KEYS["accreditations"]
        parent = "accreditations" if in_accreditations else field.rpartition(".")[0]
        records = list(islice(self._records(newest.source), MAX_RECORDS))
        line = f" line {records[0].place}" if records else ""
        return f"for example {newest.source}{line}{_keys_text(records, parent)}"

    def _newest(self, feed: str) -> InputFile | None:
        of_feed = (self.files[name] for name in reversed(self.files) if feed_of(name) == feed)
        return next(of_feed, None)

    def _records(self, source: str) -> Iterator[Record]:
        file = self.files[source]
        content = LocalReader(self.run.root.access, NO_LIMITS).content_of(file)
        return read_records(content, file.shape, self.scratch / "example")


def _keys_text(records: Iterable[Record], parent: str) -> str:
    """Say which keys records have that are none of the contract; empty if there are none."""
    keys = dict.fromkeys(key for record in records for key in _keys(record, parent))
    unknown = [key for key in keys if key not in INNER_KEYS[parent] and KEY.fullmatch(key)]
    return f"; keys seen instead: {', '.join(unknown[:MAX_KEYS])}" if unknown else ""


def _parent_of_missing_id(record: Record) -> str | None:
    return None if "facility_id" in _parsed(record) else ""


def _has_bytes(record: Record, line: bytes) -> bool:
    return record.value == line


def _has_id(record: Record, facility_id: str) -> bool:
    """Whether a record is that of a facility, by its id as text."""
    value = _parsed(record).get("facility_id")
    return value is not None and str(value).strip(TEXT_SPACE) == facility_id


def _keys(record: Record, parent: str) -> Iterator[str]:
    """The keys of a record, or of the objects that are one of its fields."""
    value = _parsed(record)
    inside = value.get(parent) if parent else value
    for each in inside if isinstance(inside, list) else [inside]:
        if isinstance(each, dict):
            yield from each


def _parsed(record: Record) -> dict[str, Any]:
    """A record as parsed JSON; empty where it is no object or too large to hold."""
    if isinstance(record.value, Path):
        return {}
    try:
        value = json.loads(record.value)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
