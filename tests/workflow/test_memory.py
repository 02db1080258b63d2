"""Results of any size fit into the memory that a run may take, whatever has arrived since."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from healthpipe.engines.database import connect
from healthpipe.errors import UsageError
from tests.conftest import AS_OF
from tests.support.published_runs import live
from tests.support.records import LATER, facility, write_records

pytestmark = pytest.mark.usefixtures("own_databases")

LIMIT, LIMIT_MB = "300MB", 300
# What Python and DuckDB take beside the memory that is limited.
BESIDE_MB = 150
RECORDS_A_FILE, FILES = 20_000, 10
PADDING = "x" * 400


def lines(number: int) -> list[bytes]:
    """The lines of a file, each of which expires."""
    first = number * RECORDS_A_FILE
    line = (
        '{"facility_id": "%07d", "facility_name": "x", "location": {"state": "CA"},'
        f' "accreditations": [{{"accreditation_id": "A", "valid_until": "{LATER}"}}],'
        f' "note": "{PADDING}"}}\n'
    )
    return [(line % each).encode() for each in range(first, first + RECORDS_A_FILE)]


# Run by a small process: before it loads its program, a child counts as large as its parent.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def orchestrate(folder: Path) -> float:
    """Run the workflow in a process of its own; returns its peak memory in MB."""
    command = [sys.executable, "-m", "healthpipe", "orchestrate", "--as-of", AS_OF, "--quiet"]
    measured = [sys.executable, "-c", MEASURE, *command, "--memory-limit", LIMIT]
    done = subprocess.run(measured, cwd=folder, check=True, stdout=subprocess.PIPE)
    return int(done.stdout) / 1000


def published(folder: Path) -> Path:
    """The live file of expiring records."""
    named = [file["path"] for file in live(folder)["files"] if file["path"].endswith(".ndjson")]
    return folder / "data" / named[0]


def test_the_second_day_publishes_200000_records_with_little_memory(tmp_path):
    arriving = [lines(number) for number in range(FILES)]
    raw = tmp_path / "data" / "raw" / "2026-02-01"
    raw.mkdir(parents=True)
    for number, content in enumerate(arriving[:-1]):
        (raw / f"{number}.jsonl").write_bytes(b"".join(content))
    peaks = [orchestrate(tmp_path)]
    (raw / f"{FILES - 1}.jsonl").write_bytes(b"".join(arriving[-1]))

    peaks.append(orchestrate(tmp_path))

    assert published(tmp_path).read_bytes() == b"".join(chain(*arriving))
    assert max(peaks) < LIMIT_MB + BESIDE_MB


def test_lines_of_several_megabytes_need_little_memory_each(cli, tmp_path):
    """One look of DuckDB at a line as JSON takes a dozen times its size, until the next lines."""
    pad = "x" * 5_000_000
    sparse = [f'{{"facility_id": "F{number}", "pad": "{pad}"}}\n' for number in range(7)]
    (tmp_path / "large.jsonl").write_text("".join(sparse))

    document = cli("extract", "large.jsonl", "--as-of", AS_OF, "--json").document

    assert document["status"] == "succeeded", document
    assert document["records"]["accepted"] == 7


@pytest.mark.parametrize("new", ["a", "m", "z"])
def test_records_are_in_input_order_wherever_a_new_file_stands(cli, tmp_path, new):
    raw = tmp_path / "data" / "raw"
    for name in ("b", "y"):
        write_records(raw / f"{name}.jsonl", facility(f"9{name}", LATER), facility(name, LATER))
    cli("orchestrate", "--as-of", AS_OF)
    write_records(raw / f"{new}.jsonl", facility(f"9{new}", LATER), facility(new, LATER))

    cli("orchestrate", "--as-of", AS_OF)

    files = sorted(raw.iterdir())
    assert published(tmp_path).read_bytes() == b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize(
    "call",
    [
        ("extract", "examples"),
        ("orchestrate", "examples"),
        ("runs", "retry"),
        ("quarantine", "list"),
    ],
)
@pytest.mark.parametrize("limit", ["299MB", "0", "1000000", "much"])
def test_a_limit_below_the_minimum_is_refused(cli, examples, tmp_path, call, limit):
    outcome = cli(*call, "--memory-limit", limit)

    assert (outcome.code, outcome.out) == (2, "")
    assert "--memory-limit" in outcome.err.splitlines()[-1]
    assert not (tmp_path / "data").exists()


def test_the_environment_limits_what_reads_no_command_line(monkeypatch, tmp_path):
    monkeypatch.setenv("HEALTHPIPE_MEMORY_LIMIT", "2GB")
    with connect(tmp_path) as connection:
        assert connection.execute("select current_setting('memory_limit')").fetchone() == (
            "1.6 GiB",
        )
    monkeypatch.setenv("HEALTHPIPE_MEMORY_LIMIT", "much")
    with pytest.raises(UsageError, match="HEALTHPIPE_MEMORY_LIMIT in the environment"):
        connect(tmp_path)


def test_a_limit_leaves_as_many_threads_as_it_has_room_for(monkeypatch, tmp_path):
    monkeypatch.setenv("HEALTHPIPE_MEMORY_LIMIT", LIMIT)
    with connect(tmp_path) as connection:
        assert connection.execute("select current_setting('threads')").fetchone() == (1,)


def test_branches_of_a_run_share_one_limit(tmp_path):
    with connect(tmp_path) as one, connect(tmp_path) as other:
        one.execute("create temp table held as select repeat('x', 1000) || n from range(9999) t(n)")

        (taken,) = other.execute("select sum(memory_usage_bytes) from duckdb_memory()").fetchone()
        assert taken > 5_000_000
        assert other.execute("select count(*) from duckdb_tables()").fetchone() == (0,)


def test_a_shortage_names_the_limit_and_the_options_that_raise_it(cli, examples, monkeypatch):
    monkeypatch.setattr("healthpipe.engines.database.memory_limit", lambda: 5_000_000)

    outcome = cli("extract", "examples", "--as-of", AS_OF, "--quiet")

    assert (outcome.code, outcome.out) == (4, "")
    assert outcome.err == (
        "healthpipe: DuckDB needs more memory than its limit of 5MB; give more by --memory-limit"
        " or HEALTHPIPE_MEMORY_LIMIT, and run again\n"
    )
