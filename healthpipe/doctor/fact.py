"""A fact that the Athena adapter rests on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from healthpipe.doctor.harness import Bench


@dataclass(frozen=True)
class Fact:
    """Something that Athena does. `look` tries it out; it returns `expected` where it holds.

    Both are what a JSON document can hold. `name` also names its files and tables.
    """

    name: str
    told: str
    expected: Any
    look: Callable[[Bench], Any]
