"""Run stages on files, read what they wrote, and compare it with the oracle."""

import csv
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from healthpipe.choices import Format, Grain
from healthpipe.stages.catalog import STAGES
from healthpipe.stages.options import RawOptions, StageOptions
from healthpipe.workflow.stage_run import StageRequest, StageResult, run_stage
from tests.support.engine_rig import EngineRig
from tests.support.oracle import File, Options, Oracle


def raw_options(wanted: Options) -> dict:
    """The oracle's options under the names and in the form that the command line takes."""
    return {
        "months": wanted.months,
        "days": wanted.days,
        "include_expired": wanted.include_expired,
        "renewals": wanted.renewals,
        "first_accreditation": wanted.first,
        "accredited": wanted.accredited,
        "only_accredited": wanted.only_accredited,
        "snapshot": wanted.snapshot,
        "include_zero": wanted.include_zero,
        "strict_states": wanted.strict_states,
        "rule": [f"{reason}={severity}" for reason, severity in wanted.moved.items()],
        "strict": wanted.strict,
        "id_pattern": wanted.id_pattern,
        "null_words": ",".join(wanted.null_words),
    }


def stage_options(wanted: Options, **shape) -> StageOptions:
    """The oracle's options as a stage takes them."""
    return RawOptions.from_json(raw_options(wanted) | shape).checked(wanted.as_of.isoformat())


def write_source(folder: Path, files: list[File]) -> str:
    """Write files into a folder and return it as a SOURCE."""
    for file in files:
        path = folder / file.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return str(folder)


def read_parquet(path: str) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute("from read_parquet($1)", [path]).fetchall()


def read_csv(path: str) -> list[list[str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, strict=True))[1:]


def read_counts(path: str) -> list[tuple]:
    """The rows of state-counts, from its CSV or its JSON twin."""
    if path.endswith(".json"):
        rows = json.loads(Path(path).read_bytes())["rows"]
        return [tuple(row.values()) for row in rows]
    return [(row[0], *map(int, row[1:])) for row in read_csv(path)]


def read_annotated(path: str) -> list[tuple[bytes, list[dict]]]:
    """The lines of an annotated result, as `split_annotations` gives them."""
    return split_annotations(Path(path).read_bytes().splitlines())


def split_annotations(lines: list[bytes]) -> list[tuple[bytes, list[dict]]]:
    """Split annotated lines into the text before the added key and the value of that key."""
    found = []
    for line in lines:
        before, _, added = line.rpartition(b', "expiring": ')
        found.append((before, json.loads(added.removesuffix(b"}"))))
    return found


def without_closing_brace(lines: list[tuple[bytes, list[dict]]]) -> list[tuple[bytes, list[dict]]]:
    """The oracle's lines without their last brace, as `split_annotations` gives them."""
    return [(line.rstrip(b" \t").removesuffix(b"}"), added) for line, added in lines]


def nest(tables: list[list[tuple]]) -> dict[str, dict]:
    """Join the five tables of `normalize`: by facility id, what its record held."""
    facilities, services, labs, certifications, accreditations = tables
    found = {
        facility_id: {"fields": fields, "services": [], "labs": {}, "accreditations": {}}
        for facility_id, *fields in facilities
    }
    assert len(found) == len(facilities)
    for facility in found.values():
        facility["fields"] = tuple(facility["fields"])
    for facility_id, item, service in services:
        found[facility_id]["services"].append(service)
        assert len(found[facility_id]["services"]) == item
    for facility_id, item, name in labs:
        found[facility_id]["labs"][item] = (name, [])
    for facility_id, lab, item, certification in certifications:
        listed = found[facility_id]["labs"][lab][1]
        listed.append(certification)
        assert len(listed) == item
    for facility_id, item, *accreditation in accreditations:
        found[facility_id]["accreditations"][item] = tuple(accreditation)
    return found


@dataclass
class Case:
    """An output to compare: its stage and options, how it is read, and what the oracle expects.

    `is_ordered`: every engine writes it in the contract's order into the file that `-o` names.
    Where an engine writes parts, no output is in order.
    """

    stage: str
    read: Callable
    expected: Callable[[Oracle], object]
    shape: dict = field(default_factory=dict)
    fmt: Format | None = None
    is_ordered: bool = True


CASES = {
    "extract": Case("extract", read_parquet, Oracle.extract),
    "filter-expiring": Case(
        "filter-expiring",
        lambda path: Path(path).read_bytes(),
        Oracle.expiring,
        is_ordered=False,
    ),
    "state-counts": Case("state-counts", read_counts, Oracle.state_counts),
    "top": Case("extract", read_parquet, Oracle.extract, {"top": 2}),
    "grain": Case(
        "filter-expiring",
        read_parquet,
        Oracle.expiring_accreditations,
        {"grain": Grain.ACCREDITATION},
        Format.PARQUET,
    ),
    "annotate": Case(
        "filter-expiring",
        read_annotated,
        lambda oracle: without_closing_brace(oracle.expiring_details()),
        {"annotate": True},
        is_ordered=False,
    ),
    "normalize": Case("normalize", nest, Oracle.nested, is_ordered=False),
    "expiry-calendar": Case(
        "expiry-calendar", read_parquet, Oracle.expiry_calendar, fmt=Format.PARQUET
    ),
}


def check_by_hand(rig: EngineRig, files: list[File], wanted: Options, names: list[str]) -> None:
    """Run the named cases, and compare outputs, rejects and counts with the oracle."""
    with tempfile.TemporaryDirectory() as folder:
        source = write_source(Path(folder, "in"), files)
        root = rig.root_in(Path(folder))
        for name in names:
            case = CASES[name]
            oracle = Oracle(files, replace(wanted, top=case.shape.get("top")))
            # Elsewhere what a run keeps for itself is written in parts, in no order.
            output = f"{folder}/output" if rig.is_remote and case.is_ordered else None
            request = StageRequest(
                STAGES[case.stage],
                root,
                [source],
                stage_options(wanted, **case.shape),
                case.fmt,
                output,
                rig.engine,
            )
            result = run_stage(request)
            found, expected = read_result(rig, case, result), case.expected(oracle)
            if not case.is_ordered:
                found, expected = rig.in_order(found), rig.in_order(expected)
            assert found == expected, name
            check_counts(rig, result.document, result.record_folder, oracle)


def read_result(rig: EngineRig, case: Case, result: StageResult) -> Any:
    """The rows of a stage's result."""
    if result.request.output:
        return case.read(result.path)
    files = rig.joined((file.name, str(file.uri)) for file in result.files)
    if case.stage == "normalize":
        views = STAGES["normalize"].views
        return nest([in_item_order(rig, files[f"{view.name}.parquet"]) for view in views])
    return case.read(str(next(iter(files.values()))))


def in_item_order(rig: EngineRig, path: Path) -> list[tuple]:
    """The rows of a table, sorted where the engine does not guarantee their order."""
    rows = read_parquet(str(path))
    return sorted(rows, key=repr) if rig.is_remote else rows


def check_counts(rig: EngineRig, document: dict, record_folder: str, oracle: Oracle) -> None:
    """Compare the rejects, the counts of records and the balance of a run with the oracle."""
    rejected = oracle.verdict.rejected
    with duckdb.connect() as connection:
        kept = connection.execute(
            "select source, line from read_parquet($1)",
            [str(rig.local(f"{record_folder}/rejects.parquet"))],
        ).fetchall()
    assert Counter(kept) == Counter(rejected)
    assert document["records"] == {
        "lines": oracle.verdict.lines,
        "accepted": oracle.verdict.lines - len(rejected),
        "rejected": len(rejected),
        "superseded": oracle.superseded,
        "resolved": 0,
    }
    assert document["issues"] == dict(oracle.verdict.issues)
    files = json.loads(rig.local(f"{record_folder}/balance.json").read_bytes())["files"]
    assert {f["source"]: f["lines"] for f in files} == +oracle.verdict.lines_by_file
    turned_away = Counter(source for source, _ in rejected)
    assert {f["source"]: f["rejected"] for f in files if f["rejected"]} == turned_away
    kept = Counter(facility.source for facility in oracle.current)
    assert {f["source"]: f["current"] for f in files if f["current"]} == kept
