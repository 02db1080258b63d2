"""Changes of a record, each with what it changes in the results."""

from typing import Any

from healthpipe.contract import UNKNOWN_STATE
from healthpipe.generate.drafts import Change, Draft


def field(name: str, value: Any) -> Change:
    """Another value where the results show none of the field, or the same."""

    def change(draft: Draft) -> None:
        draft.record[name] = value

    return change


def without(name: str) -> Change:
    """The record without a field that the results need not show."""

    def change(draft: Draft) -> None:
        del draft.record[name]

    return change


def employees(value: Any, counted: int = 0) -> Change:
    """Another number of employees, which counts as `counted`."""

    def change(draft: Draft) -> None:
        draft.record["employee_count"] = value
        draft.employees = counted

    return change


def state(value: Any, counted: str = UNKNOWN_STATE) -> Change:
    """Another state, which counts as `counted`."""

    def change(draft: Draft) -> None:
        draft.record["location"]["state"] = value
        draft.state = counted

    return change


def location(value: Any) -> Change:
    """No object where the location belongs."""

    def change(draft: Draft) -> None:
        draft.record["location"] = value
        draft.state = UNKNOWN_STATE

    return change


def stateless(draft: Draft) -> None:
    """A location that does not tell the state."""
    del draft.record["location"]["state"]
    draft.state = UNKNOWN_STATE


def accreditations(value: Any) -> Change:
    """No list where the accreditations belong, or an empty one."""

    def change(draft: Draft) -> None:
        draft.record["accreditations"] = value
        draft.days = []

    return change


def first_accreditations(*items: Any) -> Change:
    """Items without a valid date, before the accreditations that there are."""

    def change(draft: Draft) -> None:
        draft.record["accreditations"][:0] = items

    return change


def ends(value: Any) -> dict[str, Any]:
    """An accreditation that ends on what is no day."""
    return {"accreditation_body": "URAC", "accreditation_id": "UR-1", "valid_until": value}


def changes(*several: Change) -> Change:
    """One change after the other."""

    def change(draft: Draft) -> None:
        for one in several:
            one(draft)

    return change
