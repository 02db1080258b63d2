"""Command lines as processes of their own, forked from one that has imported everything."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
LONGEST_S = 120

Before = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, below 0 if a signal killed it, what it printed, and how
    long it took.
    """

    code: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass
class Process:
    """A process at work."""

    launcher: "Launcher"
    pid: int
    out: Path
    err: Path
    began: float = field(default_factory=time.monotonic)
    ended: Ended | None = None

    def send(self, number: int) -> bool:
        """Whether the process was there to be told."""
        if self.ended:
            return False
        return self.launcher.ask({"do": "stop", "pid": self.pid, "signal": number})["sent"]

    def wait(self, seconds: float | None = LONGEST_S) -> Ended | None:
        """How it ended; None if it has not after so many seconds."""
        if self.ended is None:
            code = self.launcher.ask({"do": "wait", "pid": self.pid, "seconds": seconds})["code"]
            if code is None:
                return None
            prints = (_taken(path) for path in (self.out, self.err))
            self.ended = Ended(code, *prints, time.monotonic() - self.began)
        return self.ended

    def end(self) -> Ended:
        """How it ended; one that goes on for minutes is killed."""
        ended = self.wait()
        if ended is None:
            self.send(signal.SIGKILL)
            ended = self.wait()
            raise AssertionError(f"it did not end: {ended}")
        return ended


@dataclass
class Launcher:
    """The forking process. `prefix` is a command that it is started by, such as unshare."""

    prefix: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Launcher":
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HEALTHPIPE_", "AWS_"))}
        self._prints = tempfile.TemporaryDirectory()
        self._count = 0
        self._server = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "tests.faults.server"],
            cwd=CHECKOUT,
            env={**kept, "PYTHONPATH": str(CHECKOUT), **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask({"do": "greet"})
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate(timeout=LONGEST_S)
        self._prints.cleanup()

    @property
    def pid(self) -> int:
        return self._server.pid

    def load(self) -> None:
        """Have the whole package imported before anything else is started."""
        self.ask({"do": "load"})

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def start(
        self,
        cwd: Path,
        *argv: str,
        before: Sequence[Before] = (),
        env: dict[str, str] | None = None,
        rehearsal: Path | None = None,
    ) -> Process:
        """Start a command line of healthpipe; disturbances take place `before` it begins."""
        self._count += 1
        out, err = (Path(self._prints.name, f"{self._count}.{name}") for name in ("out", "err"))
        order = {
            "do": "start",
            "cwd": str(cwd),
            "argv": argv,
            "env": env or {},
            "out": str(out),
            "err": str(err),
            "before": before,
            "rehearsal": str(rehearsal) if rehearsal else None,
        }
        return Process(self, self.ask(order)["pid"], out, err)

    def rehearse(self, cwd: Path, *argv: str) -> Ended:
        """Run a command line to its end; later ones need not make and import the same again."""
        rehearsal = Path(self._prints.name, "rehearsal.json")
        ended = self.run(cwd, *argv, rehearsal=rehearsal)
        self.ask({"do": "learn", "rehearsal": str(rehearsal)})
        return ended

    def run(self, cwd: Path, *argv: str, **how: Any) -> Ended:
        """Run a command line to its end."""
        return self.start(cwd, *argv, **how).end()


def _taken(path: Path) -> str:
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text
