"""Dirty files by the thousand: each a case, run in batches through the stages and the oracle.

    python -m tests.support.fuzz --cases 100000 [--seed 1]

Every output, the issues, the rejected bytes and the balance of each file must be what the oracle
says. A batch that fails is run again file by file, and the smallest set of files is left behind.
"""

import argparse
import dataclasses
import datetime
import random
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.engine_rig import EngineRig
from tests.support.oracle import File, Options
from tests.support.oracle_comparison import CASES, check_by_hand
from tests.support.strategies import containers, contents, nestings, options, packed_files

BATCH = 400
FILE = st.one_of(contents(), contents(), containers(), nestings(), packed_files())
LAST_OPTIONS = Options(datetime.date(2025, 8, 31))


class Batches:
    """Collects cases and checks a batch whenever one is full."""

    def __init__(self, rig: EngineRig, number: int) -> None:
        self.rig = rig
        self.random = random.Random(number)
        self.cases: list[bytes] = []
        self.checked = 0
        self.failed: AssertionError | None = None

    def add(self, content: bytes, wanted: Options) -> None:
        if self.failed:
            return
        self.cases.append(content)
        if len(self.cases) == BATCH:
            self.check(wanted)

    def check(self, wanted: Options) -> None:
        """Run the batch: some outputs each time, all of them in turn."""
        files = [File(f"{n:04}.json", spread(c, n)) for n, c in enumerate(self.cases)]
        names = self.random.sample(sorted(CASES), 3)
        try:
            check_by_hand(self.rig, files, wanted, names)
        except AssertionError as error:
            # Not raised here: it would be called flaky when it is tried again in another batch.
            self.failed = error
            keep_smallest_failure(self.rig, files, wanted, names)
        self.checked += len(self.cases)
        self.cases.clear()


def spread(content: bytes, number: int) -> bytes:
    """Give the facilities of a file ids of their own, so that not all are superseded."""
    return content.replace(b'"F1"', b'"F1-%d"' % number).replace(b'"F2"', b'"F2-%d"' % number)


def keep_smallest_failure(
    rig: EngineRig, files: list[File], wanted: Options, names: list[str]
) -> None:
    """Halve the set of files as long as a half still fails, and write the rest to a folder."""
    while len(files) > 1:
        half = len(files) // 2
        for part in (files[:half], files[half:]):
            try:
                check_by_hand(rig, part, wanted, names)
            except AssertionError:
                files = part
                break
        else:
            break
    folder = Path(tempfile.mkdtemp(prefix="healthpipe-fuzz-"))
    for file in files:
        (folder / file.source).write_bytes(file.content)
    print(f"failed: {names} with {dataclasses.asdict(wanted)}; see {folder}", file=sys.stderr)


def run(rig: EngineRig, cases: int, number: int) -> int:
    """Check so many cases; returns how many were."""
    batches = Batches(rig, number)

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(FILE, options())
    def collect(content: bytes, wanted: Options) -> None:
        batches.add(content, wanted)

    collect()
    if batches.cases:
        batches.check(LAST_OPTIONS)
    if batches.failed:
        raise batches.failed
    return batches.checked


def main() -> None:
    """Run the cases of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began, checked, number = time.monotonic(), 0, wanted.seed
    with tempfile.TemporaryDirectory() as folder:
        rig = EngineRig("duckdb", Path(folder))
        while checked < wanted.cases:
            checked += run(rig, min(10_000, wanted.cases - checked), number)
            number += 1
            print(f"{checked:,} cases agree after {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
