"""What the documents say of the rules is what the code knows."""

import re
from dataclasses import astuple
from pathlib import Path

import pytest

from healthpipe.contract import RULES, Reason
from healthpipe.engines.sql import columns, summary
from healthpipe.stages.catalog import VIEWS

RECORDS = (Path(__file__).parents[1] / "docs" / "records.md").read_text(encoding="utf-8")


def test_every_rule_is_documented_with_its_severity():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \| (.+) \| (.+) \|$", RECORDS, re.MULTILINE)

    assert [(*row[:2], row[2].strip("`"), *row[3:]) for row in rows] == [
        astuple(rule) for rule in RULES
    ]
    assert {row[0] for row in rows} == set(Reason)


OUTPUTS = (Path(__file__).parents[1] / "docs" / "outputs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", VIEWS)
def test_every_output_is_documented_as_its_query_tells_it(name):
    section = OUTPUTS.partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    documented = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", section, flags=re.MULTILINE)
    assert documented == [astuple(column) for column in columns(VIEWS[name].sql_name)]
    assert summary(VIEWS[name].sql_name) in section
