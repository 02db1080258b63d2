"""The kinds of defective records, and the edge cases: unusual records that break no rule.

An edge case is planted beside each defective record.
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
    accreditation_until,
    combine,
    no_change,
    prepend_accreditations,
    remove_field,
    remove_state,
    renew_accreditations,
    set_accreditations,
    set_employees,
    set_field,
    set_location,
    set_state,
)


@dataclass(frozen=True)
class Defect:
    """A kind of defective record: the rules it breaks, the change of the record and of its line.

    `is_rare` is set where one of it is enough, because it is large.
    """

    name: str
    reasons: tuple[Reason, ...]
    change: Change = no_change
    corrupt: Callable[[bytes], bytes] | None = None
    is_rare: bool = False

    @property
    def needs_lines(self) -> bool:
        """Whether it needs a newline-delimited file: in any other shape it would break the file."""
        return self.corrupt is not None

    def line(self, draft: Draft) -> Line:
        """Apply the defect to a draft, and return its line."""
        self.change(draft)
        content = self.corrupt(draft.content) if self.corrupt else draft.content
        facility = draft.facility if REJECTING.isdisjoint(self.reasons) else None
        return Line(content, self.reasons, facility)


def _add_field(line: bytes, value: bytes) -> bytes:
    """Add a field to a line, whose value is any bytes."""
    return line[:-1] + b', "note": ' + value + b"}"


def _make_too_large(line: bytes) -> bytes:
    missing = MAX_LINE_BYTES + 1 - len(_add_field(line, b'""'))
    return _add_field(line, b'"' + b"x" * missing + b'"')


NOT_JSON, NOT_OBJECT = (Reason.NOT_JSON,), (Reason.NOT_OBJECT,)
NO_ID, NO_NAME = (Reason.FACILITY_ID_MISSING,), (Reason.FACILITY_NAME_MISSING,)
ODD_ID = (Reason.FACILITY_ID_INVALID,)
BAD_COUNT, BAD_SERVICES = (Reason.EMPLOYEE_COUNT_INVALID,), (Reason.SERVICES_INVALID,)
BAD_LABS, BAD_LIST = (Reason.LABS_INVALID,), (Reason.ACCREDITATIONS_INVALID,)
BAD_ITEM, BAD_DATE = (Reason.ACCREDITATION_INVALID,), (Reason.ACCREDITATION_DATE_INVALID,)
NO_DATE = (Reason.ACCREDITATION_DATE_MISSING,)
NO_STATE, ODD_STATE = (Reason.STATE_MISSING,), (Reason.STATE_NOT_RECOGNISED,)
BAD_SNAPSHOT = (Reason.SNAPSHOT_DATE_INVALID,)

DEFECTS = (
    Defect("not_utf8", (Reason.NOT_UTF8,), corrupt=lambda line: _add_field(line, b'"caf\xe9"')),
    Defect(
        "overlong_utf8", (Reason.NOT_UTF8,), corrupt=lambda line: _add_field(line, b'"\xc0\x80"')
    ),
    Defect("line_cut", NOT_JSON, corrupt=lambda line: line[: len(line) // 2]),
    Defect("trailing_comma", NOT_JSON, corrupt=lambda line: line[:-1] + b",}"),
    Defect("nan", NOT_JSON, corrupt=lambda line: _add_field(line, b"NaN")),
    Defect("infinity", NOT_JSON, corrupt=lambda line: _add_field(line, b"-Infinity")),
    Defect("unpaired_surrogate", NOT_JSON, corrupt=lambda line: _add_field(line, rb'"\ud83c"')),
    Defect("control_character", NOT_JSON, corrupt=lambda line: _add_field(line, b'"a\x01b"')),
    Defect("tab_in_text", NOT_JSON, corrupt=lambda line: _add_field(line, b'"a\tb"')),
    Defect("text_after_value", NOT_JSON, corrupt=lambda line: line + b" and more"),
    Defect("two_objects", NOT_JSON, corrupt=lambda line: line + line),
    Defect("single_quotes", NOT_JSON, corrupt=lambda line: line.replace(b'"', b"'")),
    Defect("array", NOT_OBJECT, corrupt=lambda _: b'["facility_id", 17, null, []]'),
    Defect("string", NOT_OBJECT, corrupt=lambda _: b'"facility_id"'),
    Defect("number", NOT_OBJECT, corrupt=lambda _: b"-12.5e3"),
    Defect("true", NOT_OBJECT, corrupt=lambda _: b"true"),
    Defect("null", NOT_OBJECT, corrupt=lambda _: b" null "),
    Defect("too_large", (Reason.TOO_LARGE,), corrupt=_make_too_large, is_rare=True),
    Defect(
        "too_deep",
        (Reason.TOO_DEEP,),
        corrupt=lambda line: _add_field(line, b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
    ),
    Defect("id_absent", NO_ID, remove_field("facility_id")),
    Defect("id_null", NO_ID, set_field("facility_id", None)),
    Defect("id_blank", NO_ID, set_field("facility_id", " \t\r\n")),
    Defect("id_null_word", NO_ID, set_field("facility_id", "N/A")),
    Defect("id_object", NO_ID, set_field("facility_id", {"id": "X"})),
    Defect("id_fraction", ODD_ID, set_field("facility_id", 12.5)),
    Defect("id_whole_fraction", ODD_ID, set_field("facility_id", 12345.0)),
    Defect("id_too_long", ODD_ID, set_field("facility_id", 10**18)),
    Defect("id_negative", ODD_ID, set_field("facility_id", -1)),
    Defect("name_absent", NO_NAME, remove_field("facility_name")),
    Defect("name_blank", NO_NAME, set_field("facility_name", "  ")),
    Defect("name_null_word", NO_NAME, set_field("facility_name", " none\t")),
    Defect("name_list", NO_NAME, set_field("facility_name", ["Mercy"])),
    Defect("count_words", BAD_COUNT, set_employees("about 200")),
    Defect("count_fraction", BAD_COUNT, set_employees(12.5)),
    Defect("count_negative", BAD_COUNT, set_employees(-1)),
    Defect("count_too_long", BAD_COUNT, set_employees("1234567890123456789")),
    Defect("count_object", BAD_COUNT, set_employees({"total": 5})),
    Defect("services_text", BAD_SERVICES, set_field("services", "Cardiology, Radiology")),
    Defect("services_number", BAD_SERVICES, set_field("services", 3)),
    Defect("labs_object", BAD_LABS, set_field("labs", {"lab_name": "Core Laboratory"})),
    Defect("labs_false", BAD_LABS, set_field("labs", False)),
    Defect("accreditations_text", BAD_LIST, set_accreditations("NCQA")),
    Defect(
        "accreditations_object", BAD_LIST, set_accreditations(accreditation_until("2099-12-31"))
    ),
    Defect("accreditation_null", BAD_ITEM, prepend_accreditations(None)),
    Defect("accreditation_scalars", BAD_ITEM * 3, prepend_accreditations("NCQA", 7, [])),
    Defect("date_words", BAD_DATE, prepend_accreditations(accreditation_until("soon"))),
    Defect("date_impossible", BAD_DATE, prepend_accreditations(accreditation_until("2099-02-29"))),
    Defect("date_padded", BAD_DATE, prepend_accreditations(accreditation_until(" 2099-12-31"))),
    Defect(
        "date_time", BAD_DATE, prepend_accreditations(accreditation_until("2099-12-31T00:00:00Z"))
    ),
    Defect("date_american", BAD_DATE, prepend_accreditations(accreditation_until("12/31/2099"))),
    Defect("date_number", BAD_DATE, prepend_accreditations(accreditation_until(20991231))),
    Defect("date_object", BAD_DATE, prepend_accreditations(accreditation_until({"year": 2099}))),
    Defect("date_list", BAD_DATE, prepend_accreditations(accreditation_until(["2099-12-31"]))),
    Defect("date_fraction", BAD_DATE, prepend_accreditations(accreditation_until(2099.5))),
    Defect("date_blank", NO_DATE, prepend_accreditations(accreditation_until(" \t"))),
    Defect("date_null_word", NO_DATE, prepend_accreditations(accreditation_until(" n/a "))),
    Defect("dates_absent", NO_DATE * 2, prepend_accreditations(accreditation_until(None), {})),
    Defect("state_absent", NO_STATE, remove_state),
    Defect("state_null", NO_STATE, set_state(None)),
    Defect("state_null_word", NO_STATE, set_state("?")),
    Defect("state_blank", NO_STATE, set_state("  ")),
    Defect("location_null", NO_STATE, set_location(None)),
    Defect("location_text", NO_STATE, set_location("Houston, TX")),
    Defect("state_foreign", ODD_STATE, set_state("Ontario", "ONTARIO")),
    Defect("state_code", ODD_STATE, set_state("zz", "ZZ")),
    Defect("state_number", ODD_STATE, set_state(48, "48")),
    Defect("snapshot_words", BAD_SNAPSHOT, set_field("snapshot_date", "yesterday")),
    Defect("snapshot_american", BAD_SNAPSHOT, set_field("snapshot_date", "12/31/2099")),
    Defect(
        "several_fields",
        NO_NAME + BAD_COUNT + BAD_SERVICES + BAD_LABS + BAD_ITEM + BAD_DATE + ODD_STATE,
        combine(
            set_field("facility_name", None),
            set_employees("many"),
            set_field("services", "Cardiology"),
            set_field("labs", 1),
            prepend_accreditations(None, accreditation_until("soon")),
            set_state("Atlantis", "ATLANTIS"),
        ),
    ),
    Defect(
        "no_id_and_more",
        NO_ID + NO_NAME + BAD_LIST + NO_STATE + BAD_SNAPSHOT,
        combine(
            set_field("facility_id", None),
            set_field("facility_name", ""),
            set_accreditations("none"),
            set_location([]),
            set_field("snapshot_date", "2099-13-01"),
        ),
    ),
    Defect("empty_object", NO_ID + NO_NAME + NO_STATE, lambda draft: draft.record.clear()),
)


def _pad_fields(draft: Draft) -> None:
    for name in ("facility_id", "facility_name"):
        draft.record[name] = f"  {draft.record[name]}\t"
    draft.record["location"]["state"] = f" {draft.state}\r\n"


def _lower_case_state(draft: Draft) -> None:
    draft.record["location"]["state"] = draft.state.lower()


def _spell_out_state(draft: Draft) -> None:
    draft.record["location"]["state"] = STATES[draft.state]


def _make_id_numeric(draft: Draft) -> None:
    digits = "".join(filter(str.isdigit, draft.record["facility_id"]))
    draft.record["facility_id"] = int(f"9{digits}")


def _reverse_fields(draft: Draft) -> None:
    draft.record = dict(reversed(draft.record.items()))


def _nested(levels: int) -> list[Any]:
    return [_nested(levels - 1)] if levels > 1 else []


EDGE_CASES: tuple[Change, ...] = (
    no_change,
    _pad_fields,
    _lower_case_state,
    _spell_out_state,
    _make_id_numeric,
    _reverse_fields,
    combine(
        set_field("facility_ID", "another key"), set_field("network", {"beds": 0.10, "id": 10**20})
    ),
    set_field("brackets", 'in texts: "]}" NaN, ]'),
    set_field("nested", _nested(100)),
    set_field("facility_name", "Clínica São José 🏥 \u2028 病院"),
    set_field("facility_name", 'Mercy \\ O\'Connor "East"\n\tWing'),
    set_field("facility_name", True),
    set_employees(None),
    set_employees("  "),
    set_employees("N/A"),
    set_employees("0120", 120),
    set_employees(0, 0),
    remove_field("services"),
    set_field("services", None),
    set_field("services", ["MRI", None, 7, {"name": "Dialysis"}]),
    set_field("labs", None),
    set_field("labs", [None, "Core Laboratory", {"lab_name": None, "certifications": "CLIA"}]),
    set_accreditations(None),
    set_accreditations([]),
    renew_accreditations,
    remove_field("snapshot_date"),
    set_field("snapshot_date", None),
    set_field("snapshot_date", ""),
    set_field("snapshot_date", "null"),
    set_state("puerto rico", "PR"),
    set_state("Washington, D.C.", "DC"),
    set_state("Tex.", "TX"),
    set_state("Commonwealth of Massachusetts", "MA"),
    set_state("New  York", "NY"),
    set_state("DISTRICT OF COLUMBIA", "DC"),
    set_state("virgin islands", "VI"),
)
