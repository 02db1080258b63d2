"""`describe`: the outputs, their columns, and the rules."""

import pytest

from healthpipe.contract import RULES
from healthpipe.engines.sql import summary
from healthpipe.stages.catalog import VIEWS


def test_describe_tells_of_every_output_in_a_line(cli):
    outcome = cli("describe")

    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert [line[0] for line in lines] == list(VIEWS)
    assert all(told == summary(VIEWS[name].sql_name) != "" for name, _, told in lines)


@pytest.mark.parametrize("name", VIEWS)
def test_describe_tells_of_every_column(cli, name):
    outcome = cli("describe", name)
    document = cli("describe", name, "--json").document

    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert [list(column.values()) for column in document["columns"]] == lines
    assert (document["command"], document["view"]) == ("describe", name)


def test_describe_names_what_is_near_a_name_that_is_none(cli):
    outcome = cli("describe", "facility_lab")

    assert outcome.code == 2
    assert "try facility_labs" in outcome.err


def test_describe_lists_the_rules_with_what_to_do(cli):
    rows = [line.split("\t") for line in cli("describe", "rules").out.splitlines()]
    document = cli("describe", "rules", "--json").document

    assert [row[0] for row in rows] == [rule.reason.value for rule in RULES]
    assert [list(rule.values()) for rule in document["rules"]] == rows
    assert all(len(row) == 5 and row[4] for row in rows)
