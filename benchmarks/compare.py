"""Speed and memory as ratios, each pair measured in turn in one run.

    .venv/bin/python benchmarks/compare.py [--records 1000000] [--runs 5]

The yardstick of the stages is a DuckDB query that only filters, judges nothing and counts
nothing: as one writes it for lines of up to 16 MB, and with the reader's buffer made as small as
healthpipe makes it. A stage is first asked with `--no-cache`, so that it reads raw lines, and then
again, from the curated segment of its file. The yardstick of the start-up is the import of the
libraries behind every command line like this.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HEALTHPIPE = [sys.executable, "-m", "healthpipe"]
SNAPSHOT = "2025-08-10"
HAND_WRITTEN = """
import duckdb, sys
shape = '{"accreditations": [{"valid_until": "VARCHAR"}]}'
reader = '''read_csv($source, columns = {'line': 'VARCHAR'}, delim = '\\x01', quote = '',
    escape = '', header = false, auto_detect = false, strict_mode = false,
    max_line_size = 16000000 OPTIONS)'''
duckdb.execute(f'''
    copy (
        select line
        from (select line, try(json_transform(line, $shape)) as record from {reader})
        where length(list_filter(record.accreditations, lambda a: try_cast(a.valid_until as date)
            between date '2025-08-10' and date '2026-02-10')) > 0
    ) to '{sys.argv[2]}' (format csv, header false, quote '', escape '', delimiter '\\x01')
''', {'source': sys.argv[1], 'shape': shape})
"""
YARDSTICKS = {"as written": "", "tuned": ", buffer_size = 32000000"}
IMPORTS = [sys.executable, "-c", "import typer, rich.console"]


@dataclass(frozen=True)
class Cost:
    """Of one process: wall seconds, peak memory in MB, and CPU seconds."""

    seconds: float
    megabytes: float
    cpu: float


def measure(command: list[str], folder: Path, errors: int | None = None) -> Cost:
    """Run a command to its end; standard error goes to `errors`, by default to our own."""
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed with {process.returncode}: {command}")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(time.perf_counter() - began, usage.ru_maxrss / 1000, cpu)


def compare(name: str, ours: list[str], yardstick: list[str], folder: Path, runs: int) -> None:
    """Print what ours costs beside the yardstick, both in turn after a warm-up."""
    pairs = [(measure(ours, folder), measure(yardstick, folder)) for _ in range(runs + 1)][1:]
    ratio = statistics.median(a.seconds / b.seconds for a, b in pairs)
    seconds = statistics.median(a.seconds for a, _ in pairs)
    beside = statistics.median(b.seconds for _, b in pairs)
    memory = max(a.megabytes for a, _ in pairs)
    print(f"{name:26} {seconds:7.2f} s {beside:7.2f} s {ratio:6.2f}x {memory:7.0f} MB", flush=True)


def main() -> None:
    """Generate the records, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="healthpipe-benchmark-") as name:
        folder = Path(name)
        generate = ["generate-data", "--n", str(wanted.records), "--chunk", str(wanted.records)]
        cost = measure([*HEALTHPIPE, *generate, "--snapshot", SNAPSHOT, "--quiet"], folder)
        print(f"generate-data: {wanted.records:,} records in {cost.seconds:.1f} s")
        source = f"data/raw/{SNAPSHOT}/facilities-1.jsonl"
        print(f"{'':26} {'ours':>9} {'yardstick':>9} {'ratio':>7} {'peak':>10}")
        for stage in ("filter-expiring", "extract", "state-counts"):
            call = [*HEALTHPIPE, stage, source, "--as-of", SNAPSHOT, "--quiet", "-o", stage]
            for yardstick, options in YARDSTICKS.items():
                query = HAND_WRITTEN.replace("OPTIONS", options)
                by_hand = [sys.executable, "-c", query, source, "by-hand.ndjson"]
                first = [*call, "--no-cache"]
                compare(f"{stage}, {yardstick}", first, by_hand, folder, wanted.runs)
            # The warm-up writes the curated segment, if no stage before has.
            compare(f"{stage}, asked again", call, by_hand, folder, wanted.runs)
        if (folder / "filter-expiring").read_bytes() == b"":
            sys.exit("filter-expiring found nothing: the comparison means nothing")
        for option in ("--version", "--help"):
            compare(option, [*HEALTHPIPE, option], IMPORTS, folder, wanted.runs * 3)


if __name__ == "__main__":
    main()
