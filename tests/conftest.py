"""What all tests share."""

import io
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from xdist.scheduler import LoadScopeScheduling

from healthpipe.cli.main import run
from healthpipe.workflow.language.retrying import Retries
from tests.watching import watch_steps

pytest.register_assert_rewrite("tests.against_oracle", "tests.s3_server", "tests.athena_site")

EXAMPLES = Path(__file__).parents[1] / "examples"
AS_OF = "2026-02-15"

settings.register_profile("no-shrink", phases=[Phase.explicit, Phase.reuse, Phase.generate])


class OneServer(LoadScopeScheduling):
    """Tests one by one to whoever is free; those on Trino to one process, which starts it."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if path.endswith("_on_trino.py") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return OneServer(config, log) if config.getvalue("dist") == "load" else None


@dataclass
class Outcome:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def cli(monkeypatch, capfd, tmp_path):
    """Run the command line in this process, in an empty folder, as `cli("extract", "x.jsonl")`.

    What the workflow tries again it tries at once.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("HEALTHPIPE_ROOT", "HEALTHPIPE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    retries = Retries.delay
    at_once = lambda *given: None if retries(*given) is None else 0.0  # noqa: E731
    monkeypatch.setattr(Retries, "delay", at_once)

    def call(*arguments: str | Path, stdin: bytes | None = None) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["healthpipe", *map(str, arguments)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            run()
        printed = capfd.readouterr()
        return Outcome(int(stopped.value.code or 0), printed.out, printed.err)

    return call


@pytest.fixture
def examples(tmp_path) -> Path:
    """The example records, in a folder of the test's own."""
    return Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))


@pytest.fixture
def orchestrate(cli, examples):
    """Run the workflow on the examples, as of a day."""

    def run(*arguments: str, as_of: str = AS_OF) -> Outcome:
        return cli("orchestrate", "examples", "--as-of", as_of, *arguments)

    return run


@pytest.fixture
def performed(monkeypatch):
    """The steps that are done, watched: see `watch_steps`."""
    return watch_steps(monkeypatch)


def tree(folder: Path) -> set[str]:
    """Everything below a folder, by relative name."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
