"""A root with raw files of several shapes and one published run, and how it must look later."""

import gzip
import hashlib
import json
import os
import shutil
import time
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet

from healthpipe.alerts.state import AlertState
from tests.faults.launching import Ended, Launcher

FIRST_DAY, SECOND_DAY = "2026-02-15", "2026-02-16"
TEMPORARY = ".tmp-"
GOOD = ("succeeded", "unchanged")
AT_WORK = ("running", "paused")


@dataclass(frozen=True)
class Expected:
    """What a root comes to that nothing disturbed: the content of what is published by file
    name, and which accreditations are announced in which tier.
    """

    published: dict[str, Any]
    announced: dict[str, str | None]


@dataclass(frozen=True)
class Site:
    """A folder with a root `data` in it."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "data"

    @property
    def pointer(self) -> dict[str, Any]:
        return json.loads((self.root / "production" / "current.json").read_text())

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of its runs, the oldest first."""
        return [json.loads(path.read_text()) for path in sorted(self.root.glob("runs/*/run.json"))]

    @property
    def alerts(self) -> AlertState:
        return AlertState.parse((self.root / "state" / "alerts.json").read_bytes())

    def expected(self) -> Expected:
        """What this root has come to."""
        files = {Path(file["path"]).name: file["path"] for file in self.pointer["files"]}
        del files["state-counts.json"]  # names its run and its time
        published = {name: content_of(self.root / path) for name, path in files.items()}
        tiers = {key: told.tier for key, told in self.alerts.announced.items()}
        return Expected(published, tiers)

    def copy(self, folder: Path) -> "Site":
        """A copy in which raw files keep their identity, unless it lies on another disk; locks
        are files of its own.
        """
        here = folder.parent.stat().st_dev == self.folder.stat().st_dev

        def copied(source: str, target: str) -> None:
            if here and "/data/raw/" in source:
                os.link(source, target)
            else:
                shutil.copy(source, target)

        shutil.copytree(self.folder, folder, copy_function=copied)
        return Site(folder)

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def let_time_pass(self) -> None:
        """Make files that were being written two hours old: writers without the lock have one."""
        for path in self.root.rglob(f"{TEMPORARY}*"):
            os.utime(path, (time.time() - 7200,) * 2)


def orchestrate(*more: str) -> tuple[str, ...]:
    """The command line of the run that is disturbed."""
    return ("orchestrate", "--as-of", SECOND_DAY, *more)


def prepare(launcher: Launcher, folder: Path) -> Site:
    """A site with a published run of the first day, and new files for the second."""
    site = Site(folder)
    raw = site.root / "raw"
    folder.mkdir(parents=True)
    arrives(launcher, site, "2026-02-10", first=1)
    first = launcher.rehearse(folder, "orchestrate", "--as-of", FIRST_DAY)
    assert first.code == 0, first.err
    arrives(launcher, site, "2026-02-16", first=121)
    assert len(list(raw.rglob("*"))) == 10
    return site


def arrives(launcher: Launcher, site: Site, day: str, first: int) -> None:
    """Files of a day: two of lines, one of them with bad ones, one compressed and one array."""
    make = ("generate-data", "--n", "120", "--chunk", "30", "--snapshot", day, "--quiet")
    ended = launcher.run(site.folder, *make, "--start-index", str(first))
    assert ended.code == 0, ended.err
    _, bad, packed, array = sorted((site.root / "raw" / day).iterdir())
    bad.write_bytes(b'{"facility_id": \n' + bad.read_bytes() + b'["no", "record"]\n')
    packed.with_suffix(".jsonl.gz").write_bytes(gzip.compress(packed.read_bytes(), mtime=0))
    packed.unlink()
    lines = array.read_text().splitlines()
    array.with_suffix(".json").write_text("[" + ",\n".join(lines) + "]")
    array.unlink()


def require_whole(site: Site, generations: Container[int] = range(1, 9)) -> None:
    """Production is one run, whole, and nothing but whole files lie under final names."""
    pointer = site.pointer
    assert pointer["generation"] in generations, f"generation {pointer['generation']} is live"
    assert len(pointer["files"]) == 4
    for file in pointer["files"]:
        content = (site.root / file["path"]).read_bytes()
        assert len(content) == file["bytes"], file["path"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"], file["path"]
    for folder in site.root.glob("production/*Z-*"):
        for path in final_files(folder):
            (original,) = site.root.glob(f"runs/{folder.name}/*/{path.name}")
            assert path.read_bytes() == original.read_bytes(), f"{path} is not whole"
    for part in ("runs", "curated", "state"):
        for path in final_files(site.root / part):
            require_readable(path)


def content_of(path: Path) -> Any:
    """The bytes of a file; of a Parquet file the rows, which engines may pack in several ways."""
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    return path.read_bytes()


def final_files(folder: Path) -> list[Path]:
    """Files below a folder whose names, and those of their folders, say that they are finished."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and "landed" not in path.parts  # nobody reads it but its own run
    ]


def require_readable(path: Path) -> None:
    """A file is one of its kind to its end."""
    match path.suffix:
        case ".json":
            assert isinstance(json.loads(path.read_text()), dict), path
        case ".parquet":
            pyarrow.parquet.read_table(path)
        case ".ndjson":
            content = path.read_bytes()
            assert content.endswith(b"\n"), path
            assert all(isinstance(json.loads(line), dict) for line in content.splitlines()), path
        case ".csv":
            assert path.read_bytes().endswith(b"\n"), path
        case suffix:
            assert path.name == "lock", f"{path} has the suffix {suffix}"


def require_recovered(site: Site, ended: Ended, expected: Expected) -> None:
    """The run that came next succeeded without help, and nothing tells of the disturbance but
    the record of the disturbed run.
    """
    assert ended.code == 0, ended.err
    require_whole(site)
    assert site.pointer["as_of"] == SECOND_DAY
    come_to = site.expected()
    for name, content in expected.published.items():
        assert come_to.published[name] == content, f"{name} is not what it should be"
    missing = set(expected.announced.items()) - set(come_to.announced.items())
    assert come_to.announced == expected.announced, f"{len(missing)} were not announced"
    assert leftovers(site) == [], f"left over: {leftovers(site)}"
    for record in site.records:
        assert record["status"] in (*GOOD, "failed", "interrupted"), record
        assert (record["error"] is None) == (record["status"] in GOOD), record
        at_work = [step["name"] for step in record["steps"] if step["status"] in AT_WORK]
        assert set(at_work) <= {"Finish"}, f"{record['run_id']}: {at_work} should have ended"
    assert site.alerts.pending == [], "alerts are still to be sent"
    assert not any(failure.open for failure in site.alerts.failures.values()), "no recovery told"


def leftovers(site: Site) -> list[str]:
    """What only a run at work may have, below a root that no run is at work on."""
    return [
        path.relative_to(site.root).as_posix()
        for path in site.root.rglob("*")
        if path.name in (".attempt", ".alive") or path.name.startswith(TEMPORARY)
    ]
