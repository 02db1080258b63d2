"""Processes killed at every change of files and at random instants, and what comes next."""

import itertools
import random
import signal
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.launching import Before, Ended, Launcher
from tests.faults.site import (
    Expected,
    Site,
    orchestrate,
    prepare,
    require_recovered,
    require_whole,
)

ROLLBACK = ("runs", "rollback")
RETRY = ("runs", "retry")
PRUNE = ("runs", "prune", "--keep", "1", "--days", "0")
RUN = orchestrate()
SHORT = 0.2  # of the time of a run is what the commands take that compute nothing


@dataclass(frozen=True)
class AtChange:
    """Killed at a change of files: just before it is made, or just after."""

    label: str
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.label}"

    @property
    def before(self) -> list[Before]:
        return [("kill_at_change", {"label": self.label, "after": self.after})]


@dataclass(frozen=True)
class AtInstant:
    """Killed when a part of the time has gone by that an undisturbed process takes."""

    part: float

    def __str__(self) -> str:
        return f"at {self.part:.4f} of its time"


Kill = AtChange | AtInstant


@dataclass(frozen=True)
class Case:
    """Commands that are killed one after the other; then a run has to succeed without help.

    `is_published`: the root has the run of the second day already.
    """

    kills: tuple[tuple[tuple[str, ...], Kill], ...]
    is_published: bool = False

    def __str__(self) -> str:
        told = ", then ".join(f"`{' '.join(argv)}` {kill}" for argv, kill in self.kills)
        return f"{told}{' (day published)' if self.is_published else ''}"


@dataclass
class Bench:
    """What cases are run on: sites to copy, what they come to, and how long a run takes.

    `changes` are the labels of all changes that an undisturbed run makes.
    """

    launcher: Launcher
    folder: Path
    fresh: Site = field(init=False)
    published: Site = field(init=False)
    expected: Expected = field(init=False)
    changes: list[str] = field(init=False)
    seconds: float = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self.fresh = prepare(self.launcher, self.folder / "fresh")
        self.published = self.copy(self.fresh)
        done = self.launcher.rehearse(self.published.folder, *RUN)
        assert done.code == 0, done.err
        require_whole(self.published, (2,))
        self.expected = self.published.expected()
        self.changes = self.recorded(self.fresh, RUN)
        self.seconds = done.seconds

    def copy(self, site: Site) -> Site:
        self._count += 1
        return site.copy(self.folder / f"site-{self._count}")

    def recorded(self, site: Site, argv: tuple[str, ...]) -> list[str]:
        """The labels of the changes that a command makes on a copy of a site, sorted."""
        copied = self.copy(site)
        labels = self.folder / f"{copied.folder.name}.labels"
        ended = self.launcher.run(
            copied.folder, *argv, before=[("record_changes", {"file": str(labels)})]
        )
        assert ended.code == 0, ended.err
        self.seconds = ended.seconds
        copied.remove()
        return sorted(set(labels.read_text().splitlines()))

    def killed(self, site: Site, argv: tuple[str, ...], kill: Kill) -> Ended:
        """Run a command that is killed; it may have ended before."""
        if isinstance(kill, AtChange):
            return self.launcher.run(site.folder, *argv, before=kill.before)
        process = self.launcher.start(site.folder, *argv)
        seconds = self.seconds * (SHORT if argv in (ROLLBACK, PRUNE) else 1)
        if process.wait(kill.part * seconds) is None:
            process.send(signal.SIGKILL)
        return process.end()

    def check(self, case: Case) -> bool:
        """Run a case; whether a process was killed. Raises `AssertionError` on a violation."""
        site = self.copy(self.published if case.is_published else self.fresh)
        was_killed = False
        try:
            for argv, kill in case.kills:
                ended = self.killed(site, argv, kill)
                assert ended.was_killed or ended.code in (0, 2), ended.err
                was_killed |= ended.was_killed
                require_whole(site)
                require_told(site)
                site.let_time_pass()
            last = self.launcher.run(site.folder, *RUN)
            require_recovered(site, last, self.expected)
            if "published run" in last.err:
                self.seconds = last.seconds  # what else the machine does changes
        except AssertionError as error:
            error.add_note(f"{case}; see {site.folder}")
            raise
        site.remove()
        return was_killed


def require_told(site: Site) -> None:
    """The records of killed runs say no more than what is so: the live one's may be unfinished."""
    live = site.pointer["run_id"]
    for record in site.records:
        status = record["status"]
        assert status in ("running", "succeeded", "unchanged", "failed"), record
        if status == "succeeded":
            assert record["production"]["run_id"] == record["run_id"]
        if record["run_id"] == live:
            assert status != "failed", record


def boundaries(changes: list[str]) -> Iterator[AtChange]:
    """Both sides of every file that gets its final name; of the run's record only the later."""
    for label in changes:
        kind, name, _ = label.split()
        if kind == "os.rename":
            yield AtChange(label, after=True)
            if name != "runs/RUN/run.json":
                yield AtChange(label)


def every(changes: list[str]) -> list[Kill]:
    """Both sides of every change of files."""
    return [AtChange(label, after) for label in changes for after in (False, True)]


def instants(rng: random.Random, number: int) -> list[Kill]:
    """Random instants of a run, all of its time alike."""
    return [AtInstant((place + rng.random()) / number) for place in range(number)]


def chunk_of(kill: Kill, chunks: int) -> int:
    """Which chunk of the work a kill belongs to, the same in every process."""
    return zlib.crc32(str(kill).encode()) % chunks


def of_run(kill: Kill) -> Case:
    return Case(((RUN, kill),))


def random_cases(rng: random.Random, number: int) -> list[Case]:
    """Cases of all kinds, half of them a run killed at an instant."""
    kinds: list[Callable[[Kill, Kill], Case]] = [
        lambda one, _: of_run(one),
        lambda one, _: of_run(one),
        lambda one, _: of_run(one),
        lambda one, another: Case(((RUN, one), (RUN, another))),
        lambda one, another: Case(((RUN, one), (RETRY, another))),
        lambda one, _: Case(((ROLLBACK, one),), is_published=True),
        lambda one, _: Case(((PRUNE, one),), is_published=True),
    ]
    firsts, seconds = instants(rng, number), instants(rng, number)
    rng.shuffle(firsts)
    rng.shuffle(seconds)
    made = zip(itertools.cycle(kinds), firsts, seconds, strict=False)
    return [make(one, another) for make, one, another in made]
