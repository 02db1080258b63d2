"""The SQL files: found, parsed once, and what they tell of their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlglot
from sqlglot import exp

FUNCTIONS = "functions"
ATHENA = "athena"
SOURCE = "source"


@dataclass(frozen=True)
class Column:
    """A column of a query's result, as the query's file tells it: `-- TYPE: meaning`."""

    name: str
    type: str
    meaning: str


def sql_folder() -> Path:
    """Where the SQL lies: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


def adapter_text(engine: str, name: str) -> str:
    """The text of an engine's own `sql/<engine>/<name>.sql`, as it stands."""
    return (sql_folder() / engine / f"{name}.sql").read_text(encoding="utf-8")


@cache
def parsed(name: str) -> exp.Expr:
    """The tree of `sql/<name>.sql`, which is in Athena's dialect. Not to be changed."""
    text = (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")
    return sqlglot.parse_one(text, dialect=ATHENA)


def query_of(name: str) -> exp.Query:
    """The tree of a file that is a query. Not to be changed."""
    tree = parsed(name)
    assert isinstance(tree, exp.Query)
    return tree


@cache
def functions() -> Mapping[str, str]:
    """The functions by name, each with the name of its file; Athena's adapter has some more."""
    folder = sql_folder()
    files = {path.stem: f"{ATHENA}/{path.stem}" for path in (folder / ATHENA).glob("*.sql")}
    files |= {path.stem: f"{FUNCTIONS}/{path.stem}" for path in (folder / FUNCTIONS).glob("*.sql")}
    files.pop(SOURCE, None)
    return files


def column_names(name: str) -> tuple[str, ...]:
    """The names of the columns of `sql/<name>.sql`."""
    return tuple(query_of(name).named_selects)


def summary(name: str) -> str:
    """What the file of a query says a row of its result is."""
    tree = query_of(name)
    return _told(tree) or _told(tree.find(exp.With) or tree)


def columns(name: str) -> list[Column]:
    """The columns of `sql/<name>.sql` with what the file says of them."""
    told = ((s.alias_or_name, *_told(s).partition(": ")) for s in query_of(name).selects)
    return [Column(name, type_, meaning) for name, type_, _, meaning in told]


def _told(node: exp.Expr) -> str:
    """The comment of a node as one line of text."""
    return " ".join(" ".join(node.comments or ()).split())
