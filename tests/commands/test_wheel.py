"""An installed wheel has all it needs, in whatever folder it is called."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", folder, PROJECT], check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_sql_and_the_workflow(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    ours = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("sql/**/*.sql")}
    assert {f"healthpipe/{name}" for name in ours} <= names
    assert "healthpipe/workflow/pipeline.asl.json" in names
    assert not any(name.startswith(("tests", "benchmarks", "examples")) for name in names)


def test_an_installed_wheel_works_from_another_folder(wheel, tmp_path, examples):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    where = "import healthpipe.engines.sql as s; print(s.sql_folder())"
    assert python("-c", where).strip() == str(site / "healthpipe" / "sql")
    published = python("-m", "healthpipe", "orchestrate", "examples", "--as-of", "2026-02-15")
    assert len(published.splitlines()) == 4


def test_the_version_loads_no_heavy_library():
    code = (
        "import sys; from healthpipe.cli import app; "
        "print(sorted({'duckdb', 'sqlglot', 'dateutil', 'boto3'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"
