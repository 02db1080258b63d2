"""Run the commands of CI in lanes, side by side, and show how each ended.

A lane is a list of commands that run one after the other. Of a command that fails all that it
printed is shown, of others the last lines. The exit code is how many failed.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
CLOSING_LINES = 4
PATIENCE_S = 15  # for a pytest that is stopped to clear up
# What waits for a local AWS: a Trino takes twenty seconds to start, and is asked by one process.
LANES = (
    ("pytest --engine trino",),  # a sample; all of it, with -m '', takes a dozen minutes
    ("ruff format --check .", "ruff check .", "mypy", "pytest --engine athena"),
)


@dataclass
class Runner:
    """What runs now, and what has failed so far."""

    failed: list[str] = field(default_factory=list)
    _groups: set[int] = field(default_factory=set)
    _printing: threading.Lock = field(default_factory=threading.Lock)
    _is_stopped: bool = False

    @contextmanager
    def lanes(self) -> Iterator[list[threading.Thread]]:
        """Start the lanes, and end what still runs when the block is left."""
        lanes = [threading.Thread(target=self._work, args=(lane,)) for lane in LANES]
        for lane in lanes:
            lane.start()
        try:
            yield lanes
        finally:
            self._is_stopped = True
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                for group in list(self._groups):
                    _signal(group, number)
                deadline = time.monotonic() + PATIENCE_S
                for lane in lanes:
                    lane.join(max(0, deadline - time.monotonic()))

    def _work(self, commands: tuple[str, ...]) -> None:
        for command in commands:
            if not self._is_stopped:
                self._run(command)

    def _run(self, command: str) -> None:
        program, *arguments = shlex.split(command)
        began = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [BIN / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # so that all that it starts is in one group
            )
            self._groups.add(process.pid)
            code = process.wait()
            self._groups.discard(process.pid)
            _signal(process.pid, signal.SIGKILL)  # to what it left behind
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
        if code:
            self.failed.append(command)
        seconds = time.monotonic() - began
        with self._printing:
            end = f"failed with {code}" if code else "succeeded"
            print(f"\n== {command}: {end} after {seconds:.0f} s")
            print("\n".join(lines if code else lines[-CLOSING_LINES:]), flush=True)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def main() -> int:
    """Run all lanes; SIGTERM, SIGHUP and Ctrl-C end them."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    runner = Runner()
    with suppress(KeyboardInterrupt), runner.lanes() as lanes:
        for lane in lanes:
            lane.join()
        print("\n".join(["", *(f"failed: {command}" for command in runner.failed)]))
        return len(runner.failed)
    return 130


if __name__ == "__main__":
    sys.exit(main())
