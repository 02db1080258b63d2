"""States: codes and full names, absent ones, --include-zero and --strict-states."""

import pytest

from healthpipe.contract import CONSTANTS, PLAIN_SPELLINGS, STATES, USUAL_STATES
from tests.support.records import LATER, facility, write_records


@pytest.mark.pitfall(26)
@pytest.mark.every_engine
def test_a_facility_without_a_state_counts_and_a_line_without_an_id_is_a_reject(result, tmp_path):
    states = [None, "", " ", ["CA"], "ca", "California", "??"]
    write_records(
        tmp_path / "in.jsonl",
        *(facility(f"F{n}", LATER, state=state) for n, state in enumerate(states)),
        {"facility_id": "F7", "facility_name": "x"},
        {"facility_id": "F8", "facility_name": "x", "location": "CA"},
        *(facility(name, LATER) for name in (None, "", " ", {}, [], 1.5)),
    )

    found = result("state-counts", "in.jsonl")

    assert found.rows == [
        ["UNKNOWN", "4", "6", "0", "4"],
        ["CA", "2", "2", "0", "2"],
        ["??", "1", "1", "0", "1"],
    ]
    assert found.records == {
        "lines": 15,
        "accepted": 9,
        "rejected": 6,
        "superseded": 0,
        "resolved": 0,
    }
    assert found.issues == {
        "facility_id_invalid": 1,
        "facility_id_missing": 5,
        "state_missing": 6,
        "state_not_recognised": 1,
    }


USUAL = {
    "AZ": ["Ariz.", "az.", "State of Arizona"],
    "CA": ["Calif", "CALIF.", "US-CA", "C.A."],
    "DC": ["D.C.", "D. C.", "Washington DC", "Washington, D.C.", "dist. of columbia"],
    "MA": ["Mass.", "Commonwealth of Massachusetts"],
    "MP": ["Commonwealth of the Northern Mariana Islands"],
    "NY": ["N.Y.", "N. Y.", "New  York", "new\tyork.", "New York State"],
    "PA": ["Penna", "Penn."],
    "VI": ["U.S. Virgin Islands", "Virgin Islands, U.S.", "USVI"],
    "WA": ["Wash.", "Washington", "Washington State"],
    "WV": ["W.Va.", "W. Virginia"],
}  # fmt: skip
UNKNOWN = [
    "AA",
    "AE",
    "FM",
    "48",
    "ON",
    "QU\u00e9BEC",
    "DAKOTA",
    "CAROLINA",
    "VIRGIN",
    "US-ZZ",
    "...",
]


@pytest.mark.every_engine
def test_the_usual_spellings_of_a_state_are_known_and_no_others(result, tmp_path):
    spelled = [(text, code) for code, texts in USUAL.items() for text in texts]
    texts = [*(text for text, _ in spelled), *UNKNOWN]
    records = (facility(f"F{n}", LATER, state=text) for n, text in enumerate(texts))
    write_records(tmp_path / "in.jsonl", *records)

    found = result("state-counts", "in.jsonl")

    counts = {code: str(len(texts)) for code, texts in USUAL.items()} | dict.fromkeys(UNKNOWN, "1")
    assert {row[0]: row[2] for row in found.rows} == counts
    assert found.issues == {"state_not_recognised": len(UNKNOWN)}


def test_a_spelling_is_plain_and_means_one_state():
    names = {name.upper(): code for code, name in STATES.items()}
    for spelling, code in PLAIN_SPELLINGS.items():
        assert spelling == " ".join(spelling.upper().split())
        assert "." not in spelling
        assert names.get(spelling, code) == code
        assert STATES.get(spelling) is None or spelling == code
    listed = [usual for names in USUAL_STATES.values() for usual in names.split("|")]
    assert len(listed) == len(set(listed)) == len(set(map(str.upper, listed)))


def test_every_state_has_one_code_and_every_spelling_one_state():
    spellings, codes = CONSTANTS["state_spellings"], CONSTANTS["state_codes"]
    assert len(spellings) == len(set(spellings)) == len(codes)
    assert len(set(codes)) == 56
    state_of = dict(zip(spellings, codes, strict=True))
    assert [state_of[name] for name in ("NEW YORK", "NY", "DISTRICT OF COLUMBIA", "GUAM")] == [
        "NY", "NY", "DC", "GU",
    ]  # fmt: skip
    assert all(spelling == spelling.upper() for spelling in spellings)


def test_every_state_has_a_row_if_that_is_wanted(cli, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"facility_id": "1", "location": {"state": "=guam"}}\n')

    def states(*arguments):
        out = cli("state-counts", "x.jsonl", "-q", "-o", "-", *arguments).out
        return [line.partition(",")[0] for line in out.splitlines()[1:]]

    assert states() == ["=GUAM"]
    assert len(states("--include-zero")) == 57
    assert sorted(states("--include-zero", "--strict-states")) == sorted({*STATES, "UNKNOWN"})
