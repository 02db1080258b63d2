"""Kills by the hundred: at changes of files, and at random instants of several commands.

    python -m tests.faults --kills 1000 [--seed 1] [--jobs 2]

Both sides of every change that a run makes to files come first, if there are kills enough for
half of them to be at random instants; else a sample of them. What a violation leaves is kept.
"""

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.faults.kills import Bench, Case, every, of_run, random_cases
from tests.faults.launching import Launcher


class Tally:
    """The cases that are still to be run, and what became of the others."""

    def __init__(self, cases: list[Case]) -> None:
        self.cases = cases[::-1]
        self.all = len(cases)
        self.run = self.killed = 0
        self.violations: list[str] = []
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def next(self) -> Case | None:
        with self._lock:
            return self.cases.pop() if self.cases else None

    def note(self, was_killed: bool, problem: AssertionError | None) -> None:
        with self._lock:
            self.run += 1
            self.killed += was_killed
            if problem:
                notes = "; ".join(problem.__notes__)
                self.violations.append(f"{notes}: {problem!s:.2000}")
                print(f"VIOLATION {self.violations[-1]}", file=sys.stderr, flush=True)
            if self.run % 50 == 0:
                print(f"{self}", flush=True)

    def __str__(self) -> str:
        return (
            f"{self.run:,} of {self.all:,} cases, {self.killed:,} killed,"
            f" {len(self.violations)} violations, {time.monotonic() - self._began:.0f} s"
        )


def work(bench: Bench, tally: Tally) -> None:
    """Run cases as long as there are any."""
    while case := tally.next():
        was_killed, problem = True, None
        try:
            was_killed = bench.check(case)
        except AssertionError as error:
            problem = error
        tally.note(was_killed, problem)


def chosen(bench: Bench, number: int, seed: int) -> list[Case]:
    """The cases: at changes of files, then at instants."""
    rng = random.Random(seed)
    changes = every(bench.changes)
    rng.shuffle(changes)
    at_changes = [of_run(kill) for kill in changes[: number // 2]]
    return [*at_changes, *random_cases(rng, number - len(at_changes))]


def main() -> int:
    """Run the cases of the command line; 1 if one of them is a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="healthpipe-faults-"))
    launchers = [Launcher().__enter__() for _ in range(wanted.jobs)]
    try:
        benches = [Bench(each, folder / str(n)) for n, each in enumerate(launchers)]
        tally = Tally(chosen(benches[0], wanted.kills, wanted.seed))
        threads = [threading.Thread(target=work, args=(bench, tally)) for bench in benches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for each in launchers:
            each.__exit__()
    if not tally.violations:
        shutil.rmtree(folder)
    print(f"done: {tally}{f'; their sites are kept in {folder}' if tally.violations else ''}")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
