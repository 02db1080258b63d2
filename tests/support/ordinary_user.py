"""The command line as an ordinary user runs it: root may read everything, whatever its mode."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Outcome
from tests.faults.launching import Launcher

NOBODY = 65534
AS_OF = "2026-02-15"


@dataclass(frozen=True)
class OrdinaryUser:
    """Somebody who is not root, with a folder of their own."""

    launcher: Launcher
    home: Path

    def write(self, name: str, *records: dict) -> Path:
        """Write a file of records to the user's folder, as the user."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
        self.own()
        return path

    def own(self) -> None:
        """Have all files belong to the user."""
        if os.getuid() == 0:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def run(self, *arguments: str | Path) -> Outcome:
        """Run a command in the user's folder, as a process of the user."""
        ended = self.launcher.run(
            self.home,
            *map(str, arguments),
            env={"HOME": str(self.home)},
            before=[("become_unprivileged", {"uid": NOBODY})] if os.getuid() == 0 else [],
        )
        return Outcome(ended.code, ended.out, ended.err)

    def orchestrate(self, *arguments: str | Path) -> Outcome:
        """Publish what is in `data/raw`."""
        return self.run("orchestrate", "--as-of", AS_OF, "--quiet", "--json", *arguments)


@contextmanager
def ordinary_user(launcher: Launcher) -> Iterator[OrdinaryUser]:
    """Make a user's folder, which others can reach; what it holds is removed at the end.

    The user may not reach Python's own files, so that `launcher` has to have loaded the package.
    """
    home = Path(tempfile.mkdtemp(prefix="healthpipe-user-"))
    home.chmod(0o755)
    user = OrdinaryUser(launcher, home)
    user.own()
    try:
        yield user
    finally:
        for path in [home, *home.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(home)
