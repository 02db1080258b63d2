"""generate-data --defects: every kind of bad record and file, and a key that knows the answers."""

import datetime
import gzip
import json
import zlib
from collections import Counter

import duckdb
import pytest

from healthpipe.contract import WHOLE_FILE, Reason
from healthpipe.generate.files import generate_files
from healthpipe.generate.planting import BATCH_RECORDS, KINDS, planted_batches, planted_kinds
from healthpipe.generate.records import Plan
from healthpipe.generate.shapes import LINE_SHAPES, RECORD_SHAPES
from healthpipe.progress import NoProgress
from tests.conftest import tree
from tests.support.oracle import File, Options, Oracle

SNAPSHOT = "2025-08-31"
DAY = datetime.date.fromisoformat(SNAPSHOT)
DEFECTS = 3 * len(KINDS)
CALL = ("generate-data", "--n", "200", "--snapshot", SNAPSHOT, "--defects", str(DEFECTS))
# A file that cannot be read at all is none that can be written; no pattern is set for ids.
NOT_PLANTED = {"file_unreadable", "facility_id_pattern"}
# Of files rejected whole those that break off are planted, none that is of another kind.
NOT_PLANTED |= {*WHOLE_FILE} - {Reason.FILE_TRUNCATED, Reason.FILE_NOT_JSON}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The folder of a generated snapshot, and its answer key."""
    outdir = tmp_path_factory.mktemp("raw")
    answers = outdir.with_name("answers.json")
    plan = Plan(200, 100, DAY, 1, 42, outdir, DEFECTS)
    generate_files(plan, answers, NoProgress())
    return plan.folder, json.loads(answers.read_bytes())


def oracle_of(folder) -> tuple[Oracle, Counter]:
    """What the contract says of a folder's files, and which are damaged gzips."""
    files, damaged = [], Counter()
    for path in folder.iterdir():
        name = f"{SNAPSHOT}/{path.name}"
        try:
            files.append(File(name, unpacked(path.read_bytes()), DAY))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            damaged[name] = 1
    return Oracle(files, Options(DAY)), damaged


def unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def test_the_key_is_what_the_contract_says_of_the_files(planted):
    folder, key = planted
    oracle, damaged = oracle_of(folder)
    verdict = oracle.verdict

    assert key["records"] == {
        "lines": verdict.lines + damaged.total(),
        "accepted": len(verdict.facilities),
        "rejected": len(verdict.rejected) + damaged.total(),
        "superseded": oracle.superseded,
    }
    assert key["issues"] == verdict.issues + Counter(file_truncated=damaged.total())
    assert key["extract"]["rows"] == len(oracle.extract())
    assert key["expiring"] == {
        "months": 6,
        "facilities": len(oracle.expiring().splitlines()),
        "accreditations": len(oracle.lapsing()),
    }
    assert rows_of(key) == oracle.state_counts()


def rows_of(key: dict) -> list[tuple]:
    return [(state, *counts.values()) for state, counts in key["states"].items()]


def test_the_key_tells_the_lines_of_each_file(planted):
    folder, key = planted
    oracle, damaged = oracle_of(folder)
    rejected = damaged + Counter(source for source, _ in oracle.verdict.rejected)
    accepted = Counter(facility.source for facility in oracle.verdict.facilities)

    assert {name: (file["lines"], file["rejected"]) for name, file in key["files"].items()} == {
        name: (accepted[name] + rejected[name], rejected[name])
        for name in (f"{SNAPSHOT}/{path.name}" for path in folder.glob("defects-*"))
    }


@pytest.mark.every_engine
def test_every_stage_finds_what_the_key_says(cli, planted):
    folder, key = planted
    raw = folder.parent

    def document(*call):
        outcome = cli(*call, raw, "--as-of", SNAPSHOT, "--json")
        assert outcome.code == 0
        assert outcome.document["records"] == key["records"] | {"resolved": 0}
        assert outcome.document["issues"] == key["issues"]
        return outcome.document["output"]

    assert document("extract")["rows"] == key["extract"]["rows"]
    assert document("filter-expiring")["rows"] == key["expiring"]["facilities"]
    by_accreditation = document("filter-expiring", "--grain", "accreditation")
    assert by_accreditation["rows"] == key["expiring"]["accreditations"]
    document("normalize", "-o", "tables")
    assert duckdb.sql("from 'tables/facilities.parquet'").shape[0] == key["extract"]["rows"]
    document("state-counts", "-o", "states.csv")
    assert duckdb.sql("from 'states.csv'").fetchall() == rows_of(key)


def test_every_kind_and_every_shape_occurs_in_one_round():
    plan = Plan(10, 10, DAY, 1, 42, None, len(KINDS))
    (batch,) = planted_batches(plan)
    reasons = {reason for file in batch.files for line in file.lines for reason in line.reasons}

    assert batch.kinds == KINDS
    assert reasons == set(Reason) - NOT_PLANTED
    assert {shape.name for shape in LINE_SHAPES + RECORD_SHAPES} <= {
        file.shape for file in batch.files
    }
    assert any(line.is_superseded for file in batch.files for line in file.lines)


@pytest.mark.parametrize("count", [1, 2, len(KINDS) - 1, len(KINDS) + 1, BATCH_RECORDS + 5])
def test_exactly_so_many_are_planted(count):
    """A bad record is a line with reasons or one that is superseded; all others are good."""
    lines = [
        line
        for batch in planted_batches(Plan(10, 10, DAY, 1, 42, None, count))
        for file in batch.files
        for line in file.lines
    ]

    assert sum(bool(line.reasons) or line.is_superseded for line in lines) == count
    assert [kind.name for kind in planted_kinds(count)][:3] == [k.name for k in KINDS[:3]][:count]


def test_each_bad_record_lies_beside_a_good_one():
    (batch,) = planted_batches(Plan(10, 10, DAY, 1, 42, None, len(KINDS)))
    shapes = {shape.name: shape for shape in LINE_SHAPES + RECORD_SHAPES}

    for file in batch.files:
        if file.lines and file.shape in shapes and not shapes[file.shape].is_single:
            assert file.lines[0].facility
            assert not file.lines[0].reasons


def test_what_is_large_or_a_whole_file_comes_once():
    """Two rounds: the second leaves them out."""
    rare = [kind for kind in KINDS if kind.is_rare]
    planted = Counter(kind.name for kind in planted_kinds(2 * len(KINDS) - len(rare)))

    assert {"too_large", "gzip-cut", "array-unclosed"} <= {kind.name for kind in rare}
    assert planted == Counter({kind.name: 1 if kind in rare else 2 for kind in KINDS})


def test_the_files_do_not_depend_on_the_day_or_the_place(cli, tmp_path):
    cli(*CALL, "--outdir", "a")
    cli(*CALL, "--outdir", "b")

    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert (tmp_path / "a-answers.json").read_bytes() == (tmp_path / "b-answers.json").read_bytes()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_digest_holds_the_bytes_for_every_machine(planted):
    """A golden digest: a change of the generator has to be meant."""
    folder, _ = planted
    checksum = 0
    for path in sorted(folder.glob("defects-*")):
        checksum = zlib.crc32(path.read_bytes(), checksum)

    assert checksum == GOLDEN


GOLDEN = 293491901


def test_the_clean_files_are_those_of_a_call_without_defects(cli, tmp_path):
    cli(*CALL, "--outdir", "dirty")
    cli(*CALL[:-2], "--outdir", "clean")

    clean = contents(tmp_path / "clean")
    assert clean.items() <= contents(tmp_path / "dirty").items()
    assert set(clean) == {"facilities-1.jsonl", "facilities-101.jsonl"}
    assert not (tmp_path / "clean-answers.json").exists()


def test_the_same_call_again_changes_nothing(cli, tmp_path):
    cli(*CALL)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    outcome = cli(*CALL)

    assert outcome.code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_key_lies_beside_the_records_and_is_named(cli, tmp_path):
    outcome = cli(*CALL, "--json")

    assert outcome.document["answers"] == "data/raw-answers.json"
    assert outcome.document["defects"] == DEFECTS
    assert (tmp_path / "data" / "raw-answers.json").is_file()
    assert cli(*CALL).out == f"data/raw/{SNAPSHOT}\n"


@pytest.mark.parametrize(
    ("outdir", "answers"), [("here/", "here-answers.json"), (".", "../{}-answers.json")]
)
def test_the_key_never_lies_among_the_records(cli, tmp_path, outdir, answers):
    cli(*CALL, "--outdir", outdir)

    assert (tmp_path / answers.format(tmp_path.name)).is_file()


def test_another_key_is_never_overwritten(cli, tmp_path):
    (tmp_path / "key.json").write_text("mine\n")

    outcome = cli(*CALL, "--answers", "key.json")

    assert outcome.code == 2
    assert "key.json is there already" in outcome.err
    assert tree(tmp_path) == {"key.json"}


@pytest.mark.parametrize(
    ("more", "why"),
    {
        "in the outdir": (("--answers", "data/raw/key.json"), "lies in --outdir"),
        "in no folder": (("--answers", "nowhere/key.json"), "mkdir -p"),
        "without defects": (("--answers", "key.json", "--defects", "0"), "add --defects"),
        "a folder": (("--answers", "."), "name a file"),
        "fewer than none": (("--defects", "-1"), "--help"),
    }.values(),
)
def test_a_key_that_cannot_be_is_refused_before_anything_is_written(cli, tmp_path, more, why):
    outcome = cli(*CALL, *more)

    assert outcome.code == 2
    assert why in outcome.err
    assert tree(tmp_path) == set()
