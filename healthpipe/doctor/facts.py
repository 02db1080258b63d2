"""What the Athena adapter rests on: facts that are written down, and here tried out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from healthpipe.doctor.bench import Bench


@dataclass(frozen=True)
class Fact:
    """Something that Athena does. `look` tries it out; it returns `expected` where it holds.

    Both are what a JSON document can hold. `name` also names its files and tables.
    """

    name: str
    told: str
    expected: Any
    look: Callable[[Bench], Any]


def all_facts() -> list[Fact]:
    """The facts, the simplest first."""
    from healthpipe.doctor import (
        facts_of_adapter,
        facts_of_files,
        facts_of_queries,
        facts_of_sql,
    )

    modules = (facts_of_files, facts_of_queries, facts_of_sql, facts_of_adapter)
    return [fact for module in modules for fact in module.FACTS]
