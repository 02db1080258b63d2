"""A text that is a word for nothing is absent; [nulls] in the configuration has other words."""

import json
from pathlib import Path

import pytest

from healthpipe.contract import NULL_WORDS
from healthpipe.engines.base import WordPattern
from healthpipe.stages.options import RawOptions, StageOptions
from healthpipe.stages.rules import NullWords
from tests.conftest import AS_OF
from tests.support.patterns import matches_in_duckdb, matches_in_python
from tests.support.records import LATER, facility, write_records

SPELLED = ["N/A", "n/a", "NA", "na", "NULL", "Null", "None", "none", "-", "?", " n/A\t", "\r\n-"]
NOT_SPELLED = ["N.A.", "n / a", "nan", "nulls", "no", "--", "??", "n\u0131l", "x N/A", "N/A\x0b"]


@pytest.mark.every_engine
def test_facilities_whose_id_is_a_word_for_nothing_are_rejected_and_not_one_facility(
    result, tmp_path
):
    write_records(tmp_path / "in.jsonl", *(facility(word, LATER) for word in SPELLED))

    found = result("extract", "in.jsonl")

    assert found.rows == []
    assert (found.records["rejected"], found.records["superseded"]) == (len(SPELLED), 0)
    assert found.issues == {"facility_id_missing": len(SPELLED)}


@pytest.mark.every_engine
def test_other_words_are_what_they_are(result, tmp_path):
    write_records(tmp_path / "in.jsonl", *(facility(word, LATER) for word in NOT_SPELLED))

    found = result("extract", "in.jsonl")

    assert sorted(found.first_column) == sorted(NOT_SPELLED)
    assert found.issues == {}


@pytest.mark.every_engine
def test_a_word_for_nothing_is_an_issue_only_where_something_has_to_be(result, tmp_path):
    records = [
        facility(
            f"F{number:02}",
            word,
            LATER,
            state=word,
            facility_name=word,
            employee_count=word,
            snapshot_date=word,
            services=[word],
        )
        for number, word in enumerate(SPELLED)
    ]
    write_records(tmp_path / "in.jsonl", *records)

    found = result("extract", "in.jsonl")

    assert found.rows == [[f"F{n:02}", "", "", "1", ""] for n in range(len(SPELLED))]
    assert found.issues == dict.fromkeys(
        ["accreditation_date_missing", "facility_name_missing", "state_missing"], len(SPELLED)
    )
    counts = result("state-counts", "in.jsonl").rows
    assert counts == [["UNKNOWN", *map(str, (len(SPELLED), len(SPELLED), 0, len(SPELLED)))]]


@pytest.mark.every_engine
def test_the_texts_of_lists_and_places_are_null_where_they_say_nothing(cli, rig, tmp_path):
    accreditation = {"accreditation_body": "n/a", "accreditation_id": "-", "valid_until": LATER}
    record = facility(
        "F1",
        location={"address": "?", "city": " none", "state": "CA", "zip": "NULL"},
        services=["MRI", "N/A"],
        labs=[{"lab_name": "na", "certifications": ["-", "CLIA"]}],
        accreditations=[accreditation],
    )
    write_records(tmp_path / "in.jsonl", record)

    flags = ("--as-of", AS_OF, "--format", "ndjson", "-o", "out")
    assert cli("normalize", "in.jsonl", *flags).code == 0

    rows = [json.loads(line) for path in Path("out").iterdir() for line in path.open()]
    values = [value for row in rows for value in row.values() if isinstance(value, str)]
    assert {"MRI", "CLIA", "CA", "F1"} <= set(values)
    assert set(values) & {"n/a", "-", "?", " none", "none", "NULL", "N/A", "na"} == set()


OWN_WORDS = 'nulls = { words = ["Unknown", "0", "1900-01-01", "XX", "not applicable"] }\n'


@pytest.mark.every_engine
def test_the_configuration_replaces_the_words_also_by_numbers_days_and_states(result, tmp_path):
    (tmp_path / "healthpipe.toml").write_text(OWN_WORDS)
    write_records(
        tmp_path / "in.jsonl",
        facility("UNKNOWN", LATER),
        facility(0, LATER),
        facility("N/A", "1900-01-01", LATER, state="Not Applicable", employee_count="0"),
        facility("-1", snapshot_date="1900-01-01", employee_count=0, state="xx"),
    )

    found = result("extract", "in.jsonl")

    assert found.rows == [["-1", "x", "", "0", ""], ["N/A", "x", "", "0", ""]]
    assert found.issues == {
        "accreditation_date_missing": 1,
        "facility_id_missing": 2,
        "state_missing": 2,
    }


@pytest.mark.every_engine
def test_a_number_that_has_no_text_is_never_a_word_for_nothing(result, tmp_path):
    (tmp_path / "healthpipe.toml").write_text('[nulls]\nwords = ["-1", "12.5", "1000.0"]\n')
    write_records(tmp_path / "in.jsonl", facility("F1", -1, 12.5, 1000.0, "-1", "12.5", "1000.0"))

    issues = result("extract", "in.jsonl").issues

    assert issues == {"accreditation_date_invalid": 3, "accreditation_date_missing": 3}


@pytest.mark.every_engine
def test_an_empty_list_switches_the_words_off(result, tmp_path):
    (tmp_path / "healthpipe.toml").write_text("[nulls]\nwords = []\n")
    write_records(tmp_path / "in.jsonl", facility("N/A", "-"), facility("?", LATER))

    found = result("extract", "in.jsonl")

    assert found.first_column == ["?", "N/A"]
    assert found.issues == {"accreditation_date_invalid": 1}


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ('words = "N/A"', "nulls.words in healthpipe.toml"),
        ("words = [1]", "nulls.words in healthpipe.toml"),
        ('words = [""]', "nulls.words in healthpipe.toml"),
        ('words = ["a,b"]', "nulls.words in healthpipe.toml"),
        ('words = ["it\'s"]', "nulls.words in healthpipe.toml"),
        ('words = ["Ä"]', "nulls.words in healthpipe.toml"),
        (f'words = ["{"x" * 21}"]', "nulls.words in healthpipe.toml"),
        ('word = ["N/A"]', "healthpipe.toml has unknown keys: nulls.word"),
        ("", "nulls.words in healthpipe.toml"),
    ],
)
def test_a_list_that_is_wrong_is_reported_with_file_and_key(cli, tmp_path, table, place):
    (tmp_path / "healthpipe.toml").write_text(f"[nulls]\n{table}\n")
    write_records(tmp_path / "in.jsonl", facility("F1"))

    outcome = cli("extract", "in.jsonl")

    assert outcome.code == 2
    assert place in outcome.err
    if "nulls.words" in place:
        assert "a word has 1 to 20 ASCII letters, digits, spaces and characters of ." in outcome.err


def test_a_flag_has_words_for_one_call(result, tmp_path):
    (tmp_path / "healthpipe.toml").write_text('[nulls]\nwords = ["TBD"]\n')
    write_records(tmp_path / "in.jsonl", facility("TBD"), facility("N/A"))

    assert result("extract", "in.jsonl").first_column == ["N/A"]
    assert result("extract", "in.jsonl", "--null-words", "n/a").first_column == ["TBD"]
    assert result("extract", "in.jsonl", "--null-words", "").first_column == ["N/A", "TBD"]


@pytest.mark.every_engine
def test_a_segment_of_other_words_is_not_used_and_not_pruned(cli, rig, tmp_path):
    source = write_records(tmp_path / "in.jsonl", facility("TBD", LATER), facility("F2", LATER))
    flags = ("orchestrate", source, "--as-of", AS_OF, "--json")
    default = cli(*flags).document
    (tmp_path / "healthpipe.toml").write_text('[nulls]\nwords = ["TBD"]\n')

    own = cli(*flags, "--accept-drop", "--max-rejects", "50%").document
    pruned = cli("runs", "prune", "--root", rig.root.uri, "--json")

    assert default["records"]["rejected"] == 0
    assert (own["status"], own["records"]["rejected"]) == ("succeeded", 1)
    assert pruned.code == 0
    held = [name for name in rig.names(rig.root.curated) if name.endswith("segment.json")]
    assert len(held) == 2
    (tmp_path / "healthpipe.toml").unlink()
    again = cli(*flags, "--accept-drop")
    assert again.document["records"]["rejected"] == 0
    assert len([n for n in rig.names(rig.root.curated) if n.endswith("segment.json")]) == 2


def test_the_words_come_back_from_the_document_of_a_run():
    options = RawOptions.from_json({"null_words": "n/a, Not Applicable"}).checked(AS_OF)
    document = json.loads(json.dumps(options.to_json()))

    assert options.null_words.words == ("N/A", "NOT APPLICABLE")
    assert StageOptions.from_json(document) == options
    del document["null_words"]
    assert StageOptions.from_json(document).null_words == NullWords(())


@pytest.mark.parametrize("matches", [matches_in_python, matches_in_duckdb])
def test_the_pattern_is_of_whole_words_in_any_case_of_ascii(matches):
    pattern = WordPattern((*NULL_WORDS, "A.B", "X Y")).anchored

    for text in ("n/a", "Na", "nUlL", "-", "?", "a.b", "x y"):
        assert matches(pattern, text)
    for text in ("", "n/a ", "aXb", "nulll", "n", "x  y", "\u212a", "n/a\n"):
        assert not matches(pattern, text)
