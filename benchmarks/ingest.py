"""What dirty lines and files that are no lines cost, as ratios, each pair in turn in one run.

    .venv/bin/python benchmarks/ingest.py [--records 1000000] [--runs 5]

Clean and dirty: filter-expiring over the same records, with one line in twenty spoiled in one of a
dozen ways. Array: a pretty-printed list, 1.1 GB for 1.5 million records, beside ijson's own C
backend that does nothing but build its items.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from compare import HEALTHPIPE, SNAPSHOT, compare, measure

SPOILED_EVERY = 20
LAND = """
import sys
from pathlib import Path
from healthpipe.ingest.content import Content
from healthpipe.ingest.landing import land_container
shape, records = land_container(Content.of(sys.argv[1]), Path(sys.argv[2]))
assert (shape, records) == ("array", int(sys.argv[3]))
"""
PARSE = """
import sys
from ijson.backends import yajl2_c
with open(sys.argv[1], "rb") as file:
    assert sum(1 for _ in yajl2_c.items(file, "item")) == int(sys.argv[2])
"""


def _replaced(pattern: str, replacement: str) -> Callable[[str], str]:
    return lambda line: re.sub(pattern, replacement, line)


SPOILED: tuple[Callable[[str], str], ...] = (
    lambda line: line[: len(line) // 2],
    lambda line: line[:-1] + ",}",
    lambda line: line[:-1] + ', "x": NaN}',
    lambda line: line[:-1] + ', "x": "\\ud83c"}',
    lambda line: "[]",  # noqa: ARG005
    _replaced(r'"facility_id": "[^"]*"', '"facility_id": null'),
    _replaced(r'"facility_name"', '"name"'),
    _replaced(r'"employee_count": ', '"employee_count": -'),
    _replaced(r'"services": \[[^\]]*\]', '"services": "none"'),
    _replaced(r'"state": ".."', '"state": "ZZ"'),
    _replaced(r'"valid_until": "([0-9-]*)"', r'"valid_until": "\1T00:00:00Z"'),
    _replaced(r'"accreditations": \[', '"accreditations": [5, '),
)


def spoil(clean: Path, dirty: Path) -> None:
    """Write the lines of a file with one in twenty spoiled, in all ways in turn."""
    with clean.open(encoding="utf-8") as reader, dirty.open("w", encoding="utf-8") as writer:
        for number, line in enumerate(reader):
            turn, rest = divmod(number, SPOILED_EVERY)
            text = line.rstrip("\n")
            writer.write((SPOILED[turn % len(SPOILED)](text) if rest == 7 else text) + "\n")


def write_array(lines: Path, array: Path) -> None:
    """Write the records of a file as one pretty-printed list."""
    with lines.open(encoding="utf-8") as reader, array.open("w", encoding="utf-8") as writer:
        for number, line in enumerate(reader):
            text = json.dumps(json.loads(line), indent=2).replace("\n", "\n  ")
            writer.write(("[\n  " if number == 0 else ",\n  ") + text)
        writer.write("\n]\n")


def main() -> None:
    """Make the files, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="healthpipe-benchmark-") as name:
        folder, count = Path(name), str(wanted.records)
        generate = ["generate-data", "--n", count, "--chunk", count, "--snapshot", SNAPSHOT]
        measure([*HEALTHPIPE, *generate, "--outdir", "clean", "--quiet"], folder)
        clean = next(folder.glob("clean/*/*.jsonl"))
        spoil(clean, folder / "dirty.jsonl")
        write_array(clean, folder / "array.json")
        stage = [*HEALTHPIPE, "filter-expiring", "--as-of", SNAPSHOT, "--quiet", "-o", "out.ndjson"]
        compare(
            "dirty / clean lines",
            [*stage, "dirty.jsonl"],
            [*stage, str(clean)],
            folder,
            wanted.runs,
        )
        land = [sys.executable, "-c", LAND, "array.json", "landed.ndjson", count]
        parse = [sys.executable, "-c", PARSE, "array.json", count]
        compare("pretty array / ijson alone", land, parse, folder, wanted.runs)


if __name__ == "__main__":
    main()
