"""A disk that is full or may not be written: exit code 4, production as it was, then a good run."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.faults.kills import RUN
from tests.faults.launching import Launcher
from tests.faults.site import Site, require_recovered, require_whole

pytestmark = pytest.mark.slow
SIZE = 16 << 20
PAGE = 4096
# From nothing to what is nearly enough for a run; what one needs is found out first.
PARTS = (0, 0.02, 0.05, 0.15, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9)
UNPRIVILEGED = 65534
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A launcher whose processes see a small disk of their own, and its folder for them and us."""
    folder = tmp_path_factory.mktemp("small")
    prefix = ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(SIZE), str(folder)]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.strip()}")
    with Launcher(prefix) as launcher:
        yield launcher, folder


class SmallDisk:
    """A disk with a copy of a site, as its processes see it and as we do; filled and freed."""

    def __init__(self, launcher: Launcher, folder: Path, template: Site) -> None:
        self.launcher, self.folder = launcher, folder
        self.seen = Path(f"/proc/{launcher.pid}/root{folder}")
        shutil.rmtree(self.seen / "site", ignore_errors=True)
        self.site = template.copy(self.seen / "site")
        self.filler = self.seen / "filler"

    def run(self):
        return self.launcher.run(self.folder / "site", *RUN, before=[("retry_at_once", {})])

    @property
    def free(self) -> int:
        status = os.statvfs(self.seen)
        return status.f_bavail * status.f_frsize

    def leave(self, free: int) -> None:
        with self.filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(self.free - free, PAGE) // PAGE * PAGE)

    def empty(self) -> None:
        self.filler.unlink()


def require_one_line(ended):
    """A failed run's error is its last line; the alert that comes before has its own form."""
    assert ended.code == 4, ended.err
    assert "Traceback" not in ended.err, ended.err
    lines = ended.err.splitlines()
    assert lines[-1].startswith("healthpipe: "), ended.err
    return lines[-1]


@pytest.fixture(scope="module")
def needed(small, bench):
    """The bytes that a run leaves behind."""
    disk = SmallDisk(*small, bench.fresh)
    before = disk.free
    assert disk.run().code == 0
    return before - disk.free


@pytest.mark.parametrize("part", PARTS)
def test_a_full_disk_fails_the_run_and_nothing_else(small, bench, needed, part):
    disk = SmallDisk(*small, bench.fresh)
    disk.leave(int(part * needed))

    ended = disk.run()

    line = require_one_line(ended)
    assert "the disk is full" in line or "DuckDB could not" in line
    assert "healthpipe: run failed at " in ended.err
    require_whole(disk.site, (1, 2))  # the flip itself may have found the last room
    if part < 0.5:
        assert disk.site.pointer["generation"] == 1
    for record in disk.site.records:
        assert record["status"] in ("succeeded", "failed", "running")
    disk.empty()
    disk.site.let_time_pass()
    require_recovered(disk.site, disk.run(), bench.expected)


def may_only_read(folder: Path) -> None:
    """Let an unprivileged process read what is below a folder, and nothing more."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def give_to(folder: Path, uid: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid)


@pytest.fixture
def unprivileged(bench):
    """A site that belongs to somebody else than root, who runs the command lines."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    folder = Path(tempfile.mkdtemp(prefix="healthpipe-unprivileged-"))
    folder.chmod(0o755)
    site = bench.fresh.copy(folder / "site")
    give_to(site.folder, UNPRIVILEGED)

    def run():
        before = [("become_unprivileged", {"uid": UNPRIVILEGED}), ("retry_at_once", {})]
        return bench.launcher.run(site.folder, *RUN, before=before)

    yield site, run
    shutil.rmtree(folder)


@pytest.mark.pitfall(69)
def test_production_that_may_not_be_written_fails_the_run(unprivileged, bench):
    site, run = unprivileged
    os.chown(site.root / "production", 0, 0)
    (site.root / "production").chmod(0o555)

    ended = run()

    assert "production" in require_one_line(ended)
    assert "healthpipe: run failed at Publish (service failed)" in ended.err
    require_whole(site, (1,))
    (record,) = [each for each in site.records if each["status"] != "succeeded"]
    assert (record["status"], record["error"]["code"]) == ("failed", "service_failed")
    os.chown(site.root / "production", UNPRIVILEGED, UNPRIVILEGED)
    (site.root / "production").chmod(0o755)
    require_recovered(site, run(), bench.expected)


def test_a_root_that_may_not_be_written_fails_the_run(unprivileged, bench):
    site, run = unprivileged
    give_to(site.root, 0)
    may_only_read(site.root)

    ended = run()

    require_one_line(ended)
    assert "healthpipe: run failed at the start (service failed)" in ended.err
    require_whole(site, (1,))
    assert len(site.records) == 1
    for path in (site.root, *site.root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    give_to(site.root, UNPRIVILEGED)
    require_recovered(site, run(), bench.expected)
