"""Every kind of record that breaks a rule. The one place that names them.

Records that look odd and break no rule: the good neighbours of the bad ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from healthpipe.contract import MAX_DEPTH, MAX_LINE_BYTES, STATES, Reason
from healthpipe.generate.drafts import (
    REJECTING,
    Change,
    Draft,
    Line,
    accreditations,
    changes,
    employees,
    ends,
    field,
    first_accreditations,
    location,
    state,
    stateless,
    unchanged,
    without,
)


@dataclass(frozen=True)
class Defect:
    """A kind of bad record: the rules that it breaks, how the record is changed, and how its
    line is spoiled then. `is_rare` where one of it is enough: it is large.
    """

    name: str
    reasons: tuple[Reason, ...]
    change: Change = unchanged
    spoil: Callable[[bytes], bytes] | None = None
    is_rare: bool = False

    @property
    def needs_lines(self) -> bool:
        """Whether only a newline-delimited file can hold it without being spoiled."""
        return self.spoil is not None

    def line(self, draft: Draft) -> Line:
        """The record with this defect."""
        self.change(draft)
        content = self.spoil(draft.content) if self.spoil else draft.content
        facility = draft.facility if REJECTING.isdisjoint(self.reasons) else None
        return Line(content, self.reasons, facility)


def _with_text(content: bytes, text: bytes) -> bytes:
    """The line with one more field, whose value is any bytes."""
    return content[:-1] + b', "note": ' + text + b"}"


def _too_large(content: bytes) -> bytes:
    missing = MAX_LINE_BYTES + 1 - len(_with_text(content, b'""'))
    return _with_text(content, b'"' + b"x" * missing + b'"')


NOT_JSON, NOT_OBJECT = (Reason.NOT_JSON,), (Reason.NOT_OBJECT,)
NO_ID, NO_NAME = (Reason.FACILITY_ID_MISSING,), (Reason.FACILITY_NAME_MISSING,)
BAD_COUNT, BAD_SERVICES = (Reason.EMPLOYEE_COUNT_INVALID,), (Reason.SERVICES_INVALID,)
BAD_LABS, BAD_LIST = (Reason.LABS_INVALID,), (Reason.ACCREDITATIONS_INVALID,)
BAD_ITEM, BAD_DAY = (Reason.ACCREDITATION_INVALID,), (Reason.ACCREDITATION_DATE_INVALID,)
NO_STATE, ODD_STATE = (Reason.STATE_MISSING,), (Reason.STATE_NOT_RECOGNISED,)
BAD_SNAPSHOT = (Reason.SNAPSHOT_DATE_INVALID,)

DEFECTS = (
    Defect("not_utf8", (Reason.NOT_UTF8,), spoil=lambda x: _with_text(x, b'"caf\xe9"')),
    Defect("overlong_utf8", (Reason.NOT_UTF8,), spoil=lambda x: _with_text(x, b'"\xc0\x80"')),
    Defect("line_cut", NOT_JSON, spoil=lambda x: x[: len(x) // 2]),
    Defect("trailing_comma", NOT_JSON, spoil=lambda x: x[:-1] + b",}"),
    Defect("nan", NOT_JSON, spoil=lambda x: _with_text(x, b"NaN")),
    Defect("infinity", NOT_JSON, spoil=lambda x: _with_text(x, b"-Infinity")),
    Defect("unpaired_surrogate", NOT_JSON, spoil=lambda x: _with_text(x, rb'"\ud83c"')),
    Defect("control_character", NOT_JSON, spoil=lambda x: _with_text(x, b'"a\x01b"')),
    Defect("tab_in_text", NOT_JSON, spoil=lambda x: _with_text(x, b'"a\tb"')),
    Defect("text_after_value", NOT_JSON, spoil=lambda x: x + b" and more"),
    Defect("two_objects", NOT_JSON, spoil=lambda x: x + x),
    Defect("single_quotes", NOT_JSON, spoil=lambda x: x.replace(b'"', b"'")),
    Defect("array", NOT_OBJECT, spoil=lambda x: b"[" + x + b"]"),
    Defect("string", NOT_OBJECT, spoil=lambda _: b'"facility_id"'),
    Defect("number", NOT_OBJECT, spoil=lambda _: b"-12.5e3"),
    Defect("true", NOT_OBJECT, spoil=lambda _: b"true"),
    Defect("null", NOT_OBJECT, spoil=lambda _: b" null "),
    Defect("too_large", (Reason.TOO_LARGE,), spoil=_too_large, is_rare=True),
    Defect(
        "too_deep",
        (Reason.TOO_DEEP,),
        spoil=lambda x: _with_text(x, b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
    ),
    Defect("id_absent", NO_ID, without("facility_id")),
    Defect("id_null", NO_ID, field("facility_id", None)),
    Defect("id_blank", NO_ID, field("facility_id", " \t\r\n")),
    Defect("id_object", NO_ID, field("facility_id", {"id": "X"})),
    Defect("id_fraction", NO_ID, field("facility_id", 12.5)),
    Defect("name_absent", NO_NAME, without("facility_name")),
    Defect("name_blank", NO_NAME, field("facility_name", "  ")),
    Defect("name_list", NO_NAME, field("facility_name", ["Mercy"])),
    Defect("count_words", BAD_COUNT, employees("about 200")),
    Defect("count_fraction", BAD_COUNT, employees(12.5)),
    Defect("count_negative", BAD_COUNT, employees(-1)),
    Defect("count_too_long", BAD_COUNT, employees("1234567890123456789")),
    Defect("count_object", BAD_COUNT, employees({"total": 5})),
    Defect("services_text", BAD_SERVICES, field("services", "Cardiology, Radiology")),
    Defect("services_number", BAD_SERVICES, field("services", 3)),
    Defect("labs_object", BAD_LABS, field("labs", {"lab_name": "Core Laboratory"})),
    Defect("labs_false", BAD_LABS, field("labs", False)),
    Defect("accreditations_text", BAD_LIST, accreditations("NCQA")),
    Defect("accreditations_object", BAD_LIST, accreditations(ends("2099-12-31"))),
    Defect("accreditation_null", BAD_ITEM, first_accreditations(None)),
    Defect("accreditation_scalars", BAD_ITEM * 3, first_accreditations("NCQA", 7, [])),
    Defect("date_words", BAD_DAY, first_accreditations(ends("n/a"))),
    Defect("date_impossible", BAD_DAY, first_accreditations(ends("2099-02-29"))),
    Defect("date_padded", BAD_DAY, first_accreditations(ends(" 2099-12-31"))),
    Defect("date_time", BAD_DAY, first_accreditations(ends("2099-12-31T00:00:00Z"))),
    Defect("date_american", BAD_DAY, first_accreditations(ends("12/31/2099"))),
    Defect("date_number", BAD_DAY, first_accreditations(ends(20991231))),
    Defect("dates_absent", BAD_DAY * 2, first_accreditations(ends(None), {})),
    Defect("state_absent", NO_STATE, stateless),
    Defect("state_null", NO_STATE, state(None)),
    Defect("state_blank", NO_STATE, state("  ")),
    Defect("location_null", NO_STATE, location(None)),
    Defect("location_text", NO_STATE, location("Houston, TX")),
    Defect("state_foreign", ODD_STATE, state("Ontario", "ONTARIO")),
    Defect("state_code", ODD_STATE, state("zz", "ZZ")),
    Defect("state_number", ODD_STATE, state(48, "48")),
    Defect("snapshot_words", BAD_SNAPSHOT, field("snapshot_date", "yesterday")),
    Defect("snapshot_american", BAD_SNAPSHOT, field("snapshot_date", "12/31/2099")),
    Defect(
        "several_fields",
        NO_NAME + BAD_COUNT + BAD_SERVICES + BAD_LABS + BAD_ITEM + BAD_DAY + ODD_STATE,
        changes(
            field("facility_name", None),
            employees("many"),
            field("services", "Cardiology"),
            field("labs", 1),
            first_accreditations(None, ends("soon")),
            state("Atlantis", "ATLANTIS"),
        ),
    ),
    Defect(
        "no_id_and_more",
        NO_ID + NO_NAME + BAD_LIST + NO_STATE + BAD_SNAPSHOT,
        changes(
            field("facility_id", None),
            field("facility_name", ""),
            accreditations("none"),
            location([]),
            field("snapshot_date", "2099-13-01"),
        ),
    ),
    Defect("empty_object", NO_ID + NO_NAME + NO_STATE, lambda draft: draft.record.clear()),
)


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
