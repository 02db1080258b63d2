"""Speed beside that of another commit: filter-expiring and orchestrate, in pairs in one run.

    .venv/bin/python benchmarks/against_commit.py COMMIT [--records 300000] [--runs 5]

The commit is checked out in a folder of its own and run by the same Python with the same
libraries. Both read the same clean records in turn, each time into an empty root that they lie
outside of, so that stages by hand keep no segment. The ratios are those of medians of CPU seconds,
which other processes disturb less than wall seconds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import HEALTHPIPE, SNAPSHOT, Cost, measure

HERE = Path(__file__).parents[1]
COMMANDS = {
    "filter-expiring": ["-o", "expiring.ndjson"],
    "orchestrate": [],
}


def check_out(commit: str, folder: Path) -> Path:
    """Extract a commit of this repository into a folder."""
    folder.mkdir()
    archive = ["git", "-C", str(HERE), "archive", commit]
    with subprocess.Popen(archive, stdout=subprocess.PIPE) as process:
        subprocess.run(["tar", "-x", "-C", str(folder)], stdin=process.stdout, check=True)
    if process.returncode:
        sys.exit(f"there is no commit {commit}")
    return folder


def measure_once(checkout: Path, command: str, source: Path) -> Cost:
    """Run a command of a checkout into an empty root."""
    os.environ["PYTHONPATH"] = str(checkout)
    with tempfile.TemporaryDirectory(dir=source.parent) as root:
        place = ["--root", root, "--as-of", SNAPSHOT, "--quiet"]
        options = [option.replace("expiring", f"{root}/expiring") for option in COMMANDS[command]]
        call = [*HEALTHPIPE, command, str(source), *place, *options]
        return measure(call, source.parent, subprocess.DEVNULL)  # alerts go there


def main() -> None:
    """Generate the records, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="healthpipe-benchmark-") as name:
        folder = Path(name)
        before = check_out(wanted.commit, folder / "before")
        generate = ["generate-data", "--n", str(wanted.records), "--chunk", str(wanted.records)]
        options = ["--snapshot", SNAPSHOT, "--outdir", name, "--quiet"]
        measure([*HEALTHPIPE, *generate, *options], folder)
        source = folder / SNAPSHOT
        print(f"{wanted.records:,} clean records, CPU and wall seconds here and at {wanted.commit}")
        for command in COMMANDS:
            pairs = [
                (measure_once(HERE, command, source), measure_once(before, command, source))
                for _ in range(wanted.runs + 1)
            ][1:]
            print(f"{command:16} {_told(pairs, 'cpu')}   {_told(pairs, 'seconds')}", flush=True)


def _told(pairs: list[tuple[Cost, Cost]], figure: str) -> str:
    ours, theirs = (
        statistics.median(getattr(pair[side], figure) for pair in pairs) for side in (0, 1)
    )
    return f"{ours:6.2f} {theirs:6.2f} s {ours / theirs:5.2f}x"


if __name__ == "__main__":
    main()
