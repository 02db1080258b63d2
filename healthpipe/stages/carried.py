"""What is kept of a record on the way from its line to the outputs."""

from collections.abc import Set
from enum import StrEnum

from healthpipe.engines.query import Value


class Carried(StrEnum):
    """What is kept of a record beside its scalar fields, for those views that show it.

    `ACCOUNTED` is what rejects and issues show: the lines that are rejected, and the
    accreditations of records that break a rule.
    """

    ACCOUNTED = "accounted"
    EXPIRING_LINES = "expiring_lines"
    ALL_LINES = "all_lines"
    EXPIRING_ACCREDITATIONS = "expiring_accreditations"
    ALL_ACCREDITATIONS = "all_accreditations"
    DETAILS = "details"


def carried_values(carried: Set[Carried]) -> dict[str, Value]:
    """What the placeholders stand for that say what is kept of records; details are columns."""
    return {each.value: each in carried for each in Carried if each is not Carried.DETAILS}
