"""Rules and their severities, moved by configuration and options."""

import json

import duckdb
import pytest

from healthpipe.contract import RULES, Reason, Severity
from healthpipe.engines.base import IdPattern
from healthpipe.stages.options import RawOptions, StageOptions
from healthpipe.stages.rules import Rules

LINES = (
    '{"facility_id": "AB-1", "facility_name": "x", "location": {"state": "CA"}}\n'
    '{"facility_id": "ab-2", "facility_name": "", "location": {"state": "ZZ"}}\n'
    '{"facility_id": "AB-3", "accreditations": [5, {"valid_until": "soon"}]}\n'
    "no record\n"
)


@pytest.fixture
def judge(cli, tmp_path):
    """How many lines a call rejected, and the issues that it counted."""
    (tmp_path / "in.jsonl").write_text(LINES)

    def call(*arguments):
        outcome = cli("extract", "in.jsonl", "--json", *arguments)
        assert outcome.code == 0, outcome.err
        return outcome.document["records"]["rejected"], outcome.document["issues"]

    return call


AS_THEY_ARE = {
    "accreditation_date_invalid": 1,
    "accreditation_invalid": 1,
    "facility_name_missing": 2,
    "not_json": 1,
    "state_missing": 1,
    "state_not_recognised": 1,
}


def test_without_any_move_the_contract_holds(judge):
    assert judge() == (1, AS_THEY_ARE)


def test_a_rule_may_reject(judge):
    assert judge("--rule", "facility_name_missing=reject") == (3, AS_THEY_ARE)


def test_a_rule_may_be_off_alone(judge):
    left = {k: v for k, v in AS_THEY_ARE.items() if k != "accreditation_invalid"}

    assert judge("--rule", "accreditation_invalid=off") == (1, left)


def test_strict_makes_every_rule_reject(judge):
    assert judge("--strict", "--rule", "state_missing=off") == (3, AS_THEY_ARE)


def test_an_id_is_to_match_the_pattern_as_a_whole(judge):
    assert judge("--id-pattern", "[A-Z]+-[0-9]") == (1, AS_THEY_ARE | {"facility_id_pattern": 1})
    assert judge("--id-pattern", "[A-Z]+") == (1, AS_THEY_ARE | {"facility_id_pattern": 3})


def test_the_table_rules_of_the_configuration_moves_them(judge, tmp_path):
    (tmp_path / "healthpipe.toml").write_text(
        'id-pattern = "AB-[0-9]"\n[rules]\nfacility_id_pattern = "reject"\nstate_missing = "off"\n'
    )
    left = {k: v for k, v in AS_THEY_ARE.items() if k != "state_missing"}

    assert judge() == (2, left | {"facility_id_pattern": 1})


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--rule", "nonsense=off"], "there is no rule 'nonsense'"),
        (["--rule", "state_missing=never"], "give one of reject, warn, off"),
        (["--rule", "state_missing"], "give one of reject, warn, off"),
        (["--rule", "not_json=off"], "can only reject"),
        (["--rule", "facility_id_missing=warn"], "can only reject"),
        (["--rule", "order_undecided=reject"], "cannot reject; it is about several records"),
        (["--id-pattern", "[A-Z"], "is not understood"),
        (["--id-pattern", "x' or 1=1"], "characters that are not allowed"),
        (["--id-pattern", r"\w+"], "characters that are not allowed"),
        (["--id-pattern", "(?i)ab"], "characters that are not allowed"),
    ],
)
def test_what_cannot_be_moved_or_understood_is_refused(cli, tmp_path, arguments, what):
    (tmp_path / "in.jsonl").write_text(LINES)

    outcome = cli("extract", "in.jsonl", *arguments)

    assert outcome.code == 2
    assert what in outcome.err
    assert not (tmp_path / "data").exists()


def test_the_issues_of_a_run_carry_the_severity_that_counted(cli, tmp_path):

    (tmp_path / "in.jsonl").write_text(LINES)
    run = cli("extract", "in.jsonl", "--json", "--rule", "state_missing=reject").document["run_id"]

    with duckdb.connect() as connection:
        severities = dict(
            connection.execute(f"select reason, severity from 'data/runs/{run}/issues.parquet'")
            .fetchall()
        )  # fmt: skip
        reasons = connection.execute(
            f"select reasons from 'data/runs/{run}/rejects.parquet' order by line"
        ).fetchall()
    assert severities["state_missing"] == "reject"
    assert severities["state_not_recognised"] == "warn"
    assert reasons[0][0] == ["not_json"]
    assert set(reasons[1][0]) == {
        "facility_name_missing",
        "accreditation_invalid",
        "accreditation_date_invalid",
        "state_missing",
    }


def test_options_with_rules_come_back_from_their_document():
    words = {"rule": ["state_missing=off"], "id_pattern": "[A-Z]+"}
    options = RawOptions.from_json(words).checked("2026-01-05")

    assert StageOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_a_strict_run_is_remembered_as_one():
    rules = Rules.choose(strict=True)

    assert Rules.from_json(json.loads(json.dumps(rules.to_json()))) == rules
    assert rules.of_severity(Severity.WARN) == [Reason.ORDER_UNDECIDED]


@pytest.mark.parametrize("text", ["[A-Z]{2}-[0-9]{4}", "a|b", r"\d+\.\d", "(AB|CD)-.*", "x y"])
def test_a_pattern_of_the_closed_alphabet_is_anchored(text):
    assert IdPattern(text).anchored == rf"^(?:{text})\z"


REJECTS = {
    "not_utf8", "not_json", "not_object", "too_large", "too_deep", "facility_id_missing",
    "facility_id_invalid",
    "file_truncated", "file_unreadable", "file_not_json", "file_tar", "file_zip", "file_encrypted",
    "file_too_large_unpacked", "file_utf16", "file_utf32", "file_parquet", "file_sqlite",
    "file_csv", "file_html", "file_xml", "file_jsonc", "file_git_lfs", "file_not_text",
}  # fmt: skip
WARNS = {
    "facility_name_missing", "employee_count_invalid", "services_invalid", "labs_invalid",
    "accreditations_invalid", "accreditation_invalid", "accreditation_date_missing",
    "accreditation_date_invalid", "state_missing", "state_not_recognised",
    "snapshot_date_invalid", "order_undecided",
    "facility_id_pattern",
}  # fmt: skip


def test_every_reason_has_exactly_one_rule_of_the_contracts_severity():
    assert sorted(rule.reason for rule in RULES) == sorted(Reason)
    for severity, reasons in {Severity.REJECT: REJECTS, Severity.WARN: WARNS}.items():
        assert {rule.reason.value for rule in RULES if rule.severity is severity} <= reasons
