"""Records that look odd and break no rule: the good neighbours of the bad ones."""

from typing import Any

from healthpipe.contract import STATES
from healthpipe.generate.changes import accreditations, changes, employees, field, state, without
from healthpipe.generate.drafts import Change, Draft, unchanged


def _padded(draft: Draft) -> None:
    for name in ("facility_id", "facility_name"):
        draft.record[name] = f"  {draft.record[name]}\t"
    draft.record["location"]["state"] = f" {draft.state}\r\n"


def _in_lower_case(draft: Draft) -> None:
    draft.record["location"]["state"] = draft.state.lower()


def _spelled_out(draft: Draft) -> None:
    draft.record["location"]["state"] = STATES[draft.state]


def _numeric_id(draft: Draft) -> None:
    digits = "".join(filter(str.isdigit, draft.record["facility_id"]))
    draft.record["facility_id"] = int(f"9{digits}")


def _reordered(draft: Draft) -> None:
    draft.record = dict(reversed(draft.record.items()))


def _nested(levels: int) -> list[Any]:
    return [_nested(levels - 1)] if levels > 1 else []


ODDITIES: tuple[Change, ...] = (
    unchanged,
    _padded,
    _in_lower_case,
    _spelled_out,
    _numeric_id,
    _reordered,
    changes(field("facility_ID", "another key"), field("network", {"beds": 0.10, "id": 10**20})),
    field("brackets", 'in texts: "]}" NaN, ]'),
    field("nested", _nested(100)),
    field("facility_name", "Clínica São José 🏥 \u2028 病院"),
    field("facility_name", 'Mercy \\ O\'Connor "East"\n\tWing'),
    field("facility_name", True),
    employees(None),
    employees("  "),
    employees("0120", 120),
    employees(0, 0),
    without("services"),
    field("services", None),
    field("services", ["MRI", None, 7, {"name": "Dialysis"}]),
    field("labs", None),
    field("labs", [None, "Core Laboratory", {"lab_name": None, "certifications": "CLIA"}]),
    accreditations(None),
    accreditations([]),
    without("snapshot_date"),
    field("snapshot_date", None),
    field("snapshot_date", ""),
    state("puerto rico", "PR"),
    state("DISTRICT OF COLUMBIA", "DC"),
    state("virgin islands", "VI"),
)
