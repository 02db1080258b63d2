"""Fixtures and options of all tests: the engine under test, the command line, the examples."""

import io
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from healthpipe.asl.errors import Retries
from healthpipe.cli.app import run
from tests.faults.launching import Launcher
from tests.support.engine_rig import BUCKET, ENGINES, EngineRig
from tests.support.shared_duckdb import shared_databases
from tests.support.step_spies import spy_on_steps

pytest.register_assert_rewrite(
    "tests.support.oracle_comparison",
    "tests.support.athena_root",
    "tests.support.aws_root",
    "tests.support.doctor",
    "tests.support.quarantine",
    "tests.support.results",
    "tests.support.s3_server",
    "tests.support.shapes",
    "tests.support.sns",
)

EXAMPLES = Path(__file__).parents[1] / "examples"
AS_OF = "2026-02-15"

settings.register_profile("no-shrink", phases=[Phase.explicit, Phase.reuse, Phase.generate])


def pytest_addoption(parser):
    parser.addoption(
        "--engine",
        choices=ENGINES,
        default="duckdb",
        help="run the tests marked `every_engine` on a local Athena: over DuckDB, or over Trino",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """A Trino has 3 GB of heap, so that there is one: all tests run in this process."""
    if config.option.engine == "trino":
        config.option.numprocesses, config.option.dist, config.option.tx = 0, "no", []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leave the tests that run on the wanted engine; on Trino most of them are slow."""
    engine = config.option.engine
    others = [item for item in items if not takes_part(item, engine)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if takes_part(item, engine)]
    for item in items:
        if engine == "trino" and not item.get_closest_marker("sample"):
            item.add_marker(pytest.mark.slow)


def takes_part(item, engine: str) -> bool:
    """Whether a test runs on an engine: `every_engine` may name those that it is for."""
    marker = item.get_closest_marker("every_engine")
    if marker is None:
        return engine == "duckdb"
    return engine in (marker.args or ENGINES)


def pytest_terminal_summary(terminalreporter, config):
    if reason := unavailable(config):
        terminalreporter.write_line(f"NOTHING WAS RUN ON TRINO: {reason}", yellow=True)


def unavailable(config) -> str | None:
    """Why the wanted engine cannot run here, None where it can."""
    if config.option.engine != "trino":
        return None
    from tests.support.trino_artifact import why_not

    return why_not()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """A cache for copies of S3 objects that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEALTHPIPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def swift_databases():
    """Connections to one DuckDB; processes that tests start make a database each, as users' do."""
    with shared_databases() as make:
        yield make


@pytest.fixture
def own_databases(swift_databases, monkeypatch):
    """Databases as the package makes them, for tests of their memory, threads and files."""
    monkeypatch.setattr("duckdb.connect", swift_databases)


@pytest.fixture(autouse=True)
def swift_disk(request, monkeypatch):
    """Files need not outlive a power cut, but in tests that are marked `durable`.

    Processes that tests start wait for the disk as those of users do.
    """
    if not request.node.get_closest_marker("durable"):
        monkeypatch.setattr("healthpipe.storage.local._fsync", lambda _: None)


@pytest.fixture(scope="session")
def session_aws(request):
    """The local AWS of a process that tests another engine than DuckDB; None for DuckDB."""
    engine = request.config.option.engine
    if engine == "duckdb":
        yield None
        return
    if reason := unavailable(request.config):
        pytest.skip(reason)
    from tests.local_aws import local_aws

    with local_aws("trino" if engine == "trino" else "duckdb") as aws:
        yield aws


@pytest.fixture
def rig(session_aws, request, monkeypatch, tmp_path_factory):
    """The engine under test and its root, which commands use by default."""
    for name in ("HEALTHPIPE_ROOT", "HEALTHPIPE_CONFIG", "HEALTHPIPE_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    if session_aws is not None:
        _go_to(session_aws, monkeypatch, tmp_path_factory.mktemp("cache"))
    found = EngineRig(request.config.option.engine, tmp_path_factory.mktemp("rig"), session_aws)
    if found.is_remote:
        monkeypatch.setenv("HEALTHPIPE_ENGINE", found.engine.value)
        monkeypatch.setenv("HEALTHPIPE_ROOT", found.root.uri)
    return found


def _go_to(aws, monkeypatch, cache: Path) -> None:
    """Empty a local AWS, make boto3 find nothing else, and shorten all pauses."""
    from tests.support.aws_root import shorten_pauses

    aws.reset()
    aws.client("s3").create_bucket(Bucket=BUCKET)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HEALTHPIPE_CACHE", str(cache))
    shorten_pauses(monkeypatch)


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
def cli(rig, monkeypatch, capfd, tmp_path):
    """Run the command line in this process, in an empty folder, as `cli("extract", "x.jsonl")`.

    Retries of the workflow follow without a pause.
    """
    monkeypatch.chdir(tmp_path)
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


@pytest.fixture(scope="session")
def loaded_launcher(tmp_path_factory):
    """Starts commands as processes of their own, forked from one that has imported everything, and
    knows the SQL of a run on a day.
    """
    with Launcher() as launcher:
        launcher.load()
        folder = tmp_path_factory.mktemp("rehearsal")
        launcher.rehearse(folder, "orchestrate", str(EXAMPLES), "--as-of", AS_OF)
        yield launcher


@pytest.fixture
def step_spy(monkeypatch):
    """Spies on the steps of the workflow: see `spy_on_steps`."""
    return spy_on_steps(monkeypatch)


def tree(folder: Path) -> set[str]:
    """Everything below a folder, by relative name."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
