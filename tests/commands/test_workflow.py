"""`workflow show` and `workflow check`."""

import json

import pytest

from healthpipe.workflow.orchestrate import pipeline_path
from tests.support.valid_pipeline import valid_pipeline

SMALL = {
    "StartAt": "Try",
    "States": {
        "Try": {
            "Type": "Task",
            "Resource": "r",
            "TimeoutSeconds": 9,
            "Retry": [{"ErrorEquals": ["Transient"]}],
            "Catch": [{"ErrorEquals": ["Bug", "GateFailed"], "Next": "Failed"}],
            "Next": "Look",
        },
        "Look": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.n", "NumericEquals": 1, "Next": "Both"},
                {
                    "And": [
                        {"Not": {"Variable": "$.s", "StringEquals": "x"}},
                        {
                            "Or": [
                                {"Variable": "$.a", "NumericEqualsPath": "$.b"},
                                {"Variable": "$.a", "IsNull": True},
                            ]
                        },
                    ],
                    "Next": "Try",
                },
            ],
            "Default": "Failed",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "one two", "States": {"one two": {"Type": "Pass", "End": True}}},
                {"StartAt": "Three", "States": {"Three": {"Type": "Succeed"}}},
            ],
            "End": True,
        },
        "Failed": {"Type": "Fail"},
    },
}
LINES = """\
Try (start, Task): then Look; on Bug, GateFailed: Failed; retries Transient; at most 9 s
Look (Choice): if $.n NumericEquals 1: Both; \
if (not $.s StringEquals "x" and ($.a NumericEqualsPath $.b or $.a IsNull true)): Try; else: Failed
Both (Parallel): ends
    branch 1
        one two (start, Pass): ends
    branch 2
        Three (start, Succeed)
Failed (Fail)
"""
MERMAID = """\
stateDiagram-v2
    state "one two" as s4
    [*] --> Try
    Try --> Look
    Try --> Failed: on Bug, GateFailed
    Look --> Both: if $.n NumericEquals 1
    Look --> Try: if (not $.s StringEquals  x  and ($.a NumericEqualsPath $.b or $.a IsNull true))
    Look --> Failed: else
    state Both {
        [*] --> s4
        s4 --> [*]
        --
        [*] --> Three
        Three --> [*]
    }
    Both --> [*]
    Failed --> [*]: fails
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.asl.json"
    path.write_text(json.dumps(SMALL))
    return path


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.asl.json"
    path.write_text(json.dumps(valid_pipeline()))
    return path


def test_show_draws_lines(cli, small):
    outcome = cli("workflow", "show", small)
    assert (outcome.code, outcome.out, outcome.err) == (0, LINES, "")


def test_show_draws_a_mermaid_diagram(cli, small):
    assert cli("workflow", "show", small, "--format", "mermaid").out == MERMAID


def test_show_tells_the_structure_as_a_document(cli, small):
    document = cli("workflow", "show", small, "--json").document
    assert (document["command"], document["status"]) == ("workflow show", "succeeded")
    assert document["start_at"] == "Try"
    first, look, both, failed = document["states"]
    assert first["transitions"] == [
        {"field": "Next", "when": None, "target": "Look"},
        {"field": "Catch", "when": "on Bug, GateFailed", "target": "Failed"},
    ]
    assert look["transitions"][2] == {"field": "Default", "when": "else", "target": "Failed"}
    assert [branch["start_at"] for branch in both["branches"]] == ["one two", "Three"]
    assert (failed["type"], failed["is_end"], first["is_end"]) == ("Fail", True, False)


@pytest.mark.parametrize("drawing", ["text", "mermaid"])
def test_show_draws_every_state_of_the_packaged_workflow(cli, drawing):
    told = cli("workflow", "show", "--format", drawing).out
    document = json.loads(pipeline_path().read_text())
    assert all(name in told for name in document["States"])


def test_check_is_content_with_a_sound_workflow(cli, sound):
    outcome = cli("workflow", "check", sound)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"ok: {sound}\n", "")
    assert cli("workflow", "check", sound, "--quiet").out == ""
    assert cli("workflow", "check", sound, "--json").document["findings"] == []


def test_check_prints_a_line_for_each_finding(cli, sound):
    workflow = valid_pipeline()
    del workflow["States"]["Audit"]["TimeoutSeconds"]
    del workflow["States"]["Audit"]["Retry"]
    sound.write_text(json.dumps(workflow))

    outcome = cli("workflow", "check", sound)
    assert outcome.code == 2
    assert outcome.out == "Audit: has no TimeoutSeconds\nAudit: has no Retry\n"

    outcome = cli("workflow", "check", sound, "--json")
    assert (outcome.code, outcome.document["status"]) == (2, "failed")
    assert outcome.document["findings"] == [
        {"state": "Audit", "problem": "has no TimeoutSeconds"},
        {"state": "Audit", "problem": "has no Retry"},
    ]


def test_what_cannot_be_loaded_is_one_finding(cli, small):
    small.write_text(json.dumps(SMALL | {"StartAt": "Nowhere"}))
    outcome = cli("workflow", "check", small)
    assert (outcome.code, outcome.out) == (2, "the workflow has no state Nowhere\n")

    outcome = cli("workflow", "show", small)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"healthpipe: the workflow has no state Nowhere; run `healthpipe workflow check {small}`\n"
    )


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_file_that_is_not_there_is_one_line(cli, command):
    outcome = cli("workflow", command, "nowhere.json")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "healthpipe: the workflow nowhere.json cannot be read: No such file or directory;"
        " name a file in Amazon States Language\n"
    )
