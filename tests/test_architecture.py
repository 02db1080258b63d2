"""The package keeps its shape: imports run one way, modules stay short, the drawing is true."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import grimp
import pytest

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "healthpipe"
PAGE = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)
MOST_LINES = 400
ROOT = "root"  # the modules that are in no package

ONE_WAY = "Imports between packages run one way"
ALONE = "The States Language and the generator stand alone"
NO_LIBRARIES = "Stages know an engine and a storage, never DuckDB or boto3 by name"
NO_CIRCLES = "No circles"

Arrows = dict[str, set[str]]


def lint(folder: Path) -> str:
    """The contracts of `folder/pyproject.toml` that are broken, as import-linter prints them."""
    ended = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts: " in ended.stdout, ended.stdout + ended.stderr
    assert (ended.returncode != 0) == ("BROKEN" in ended.stdout)
    return ended.stdout if ended.returncode else ""


def test_imports_keep_the_contracts():
    assert lint(CHECKOUT) == ""


@pytest.mark.parametrize(
    ("file", "code", "broken"),
    [
        ("storage/scratch.py", "def f():\n    from healthpipe.runs import run", ONE_WAY),
        ("runs/run.py", "if TYPE_CHECKING:\n    from healthpipe.cli import app", ONE_WAY),
        ("doctor/checks.py", "from healthpipe.generate import files", ONE_WAY),
        ("text.py", "from healthpipe.aws import session", ONE_WAY),
        ("a_new_package/__init__.py", "", ONE_WAY),
        ("asl/paths.py", "def f():\n    import healthpipe.storage.base", ALONE),
        ("stages/rules.py", "def f():\n    import duckdb", NO_LIBRARIES),
        ("errors.py", "def f():\n    import healthpipe.cancellation", NO_CIRCLES),
        ("storage/base.py", "def f():\n    import healthpipe.storage.local", NO_CIRCLES),
    ],
)
def test_an_import_that_breaks_a_contract_is_found(tmp_path, file, code, broken):
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "healthpipe", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "healthpipe" / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as module:
        module.write(f"\n\n{code}\n")

    assert f"{broken} BROKEN" in lint(tmp_path)


def test_no_module_is_longer_than_one_can_read():
    lines = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: number for name, number in lines.items() if number > MOST_LINES} == {}


def test_the_drawing_has_the_packages_and_their_imports():
    imports = imported_packages()
    drawn: Arrows = {name: set() for name in re.findall(r'^    (\w+)\["', PAGE, re.MULTILINE)}
    for upper, lower in re.findall(r"^    (\w+) --> (\w+)$", PAGE, re.MULTILINE):
        drawn[upper].add(lower)

    assert drawn == without_detours(imports)


def test_an_arrow_is_drawn_where_there_is_no_detour():
    arrows = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert without_detours(arrows) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": {"c"}}


def test_each_label_of_the_drawing_begins_with_the_name_of_its_folder():
    labels = dict(re.findall(r'^    (\w+)\["(.+)"\]$', PAGE, re.MULTILINE))
    modules = re.findall(r"\w+", labels.pop(ROOT).partition(": ")[2])

    assert all(label.startswith(f"{name}: ") for name, label in labels.items())
    found = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    assert set(modules) == found


def test_every_file_that_the_page_names_is_there():
    named = set(re.findall(r"`((?:\w+/)*[\w.]+\.(?:py|sql|json|toml))`", PAGE))
    named |= set(re.findall(r"\]\(([^)]+)\)", PAGE))
    places = (PACKAGE, CHECKOUT, CHECKOUT / "docs")
    made = {"current.json"}  # in a root

    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert missing == made


def imported_packages() -> Arrows:
    """The packages that each package imports, anywhere in its code."""
    graph = grimp.build_graph("healthpipe", cache_dir=None)
    arrows: Arrows = defaultdict(set)
    for importer in sorted(graph.modules):
        arrows[package_of(importer)] |= {
            package_of(imported) for imported in graph.find_modules_directly_imported_by(importer)
        }
    return {name: lower - {name} for name, lower in arrows.items() if name}


def package_of(module: str) -> str:
    """The folder that a module is in; nothing for the module that starts the command line."""
    _, *rest = module.split(".")
    if rest and (PACKAGE / rest[0]).is_dir():
        return rest[0]
    return "" if rest == ["__main__"] else ROOT


def without_detours(arrows: Arrows) -> Arrows:
    """The fewest arrows with the same reach: those whose end is not reached by another way."""
    return {
        upper: {
            lower
            for lower in below
            if not any(lower in reach(arrows, other) for other in below - {lower})
        }
        for upper, below in arrows.items()
    }


def reach(arrows: Arrows, start: str) -> set[str]:
    """All that is below a package."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for lower in arrows[ahead.pop()] - found:
            found.add(lower)
            ahead.append(lower)
    return found
