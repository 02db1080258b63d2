"""What the documents say of the rules is what the code knows."""

import re
from dataclasses import astuple, fields
from pathlib import Path

import pytest

from healthpipe.choices import Gate
from healthpipe.cli.options import AthenaOptions, AwsOptions
from healthpipe.contract import RULES, Reason
from healthpipe.engines.sql import columns, summary
from healthpipe.publishing.gates import RawGates
from healthpipe.stages.catalog import VIEWS

RECORDS = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")


def test_every_rule_is_documented_with_its_severity():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \| (.+) \| (.+) \|$", RECORDS, re.MULTILINE)

    assert [(*row[:2], row[2].strip("`"), *row[3:]) for row in rows] == [
        astuple(rule) for rule in RULES
    ]
    assert {row[0] for row in rows} == set(Reason)


OUTPUTS = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", VIEWS)
def test_every_output_is_documented_as_its_query_tells_it(name):
    section = OUTPUTS.partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    documented = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", section, flags=re.MULTILINE)
    assert documented == [astuple(column) for column in columns(VIEWS[name].sql_name)]
    assert summary(VIEWS[name].sql_name) in section


OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


def test_every_gate_is_documented_with_its_default():
    section = OPERATING.partition("\n## Gates\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in lines]

    assert [row[0] for row in rows] == list(Gate)
    documented = {option: default for _, _, default, option, _ in rows if option}
    bounds = {name: each for name, each in vars(RawGates().checked()).items() if each}
    assert documented == {
        **{f"--max-{name.replace('_', '-')}": str(each.maximum) for name, each in bounds.items()},
        "--max-snapshot-age": "off",
    }


ON_AWS = (Path(__file__).parents[2] / "docs" / "aws.md").read_text(encoding="utf-8")


def test_every_option_of_aws_is_documented_with_its_variable():
    rows = re.findall(r"^\| `(--[\w-]+)` \| `(\w+)` \|", ON_AWS, flags=re.MULTILINE)

    assert sorted(rows) == sorted(
        (f"--{each.name.replace('_', '-')}", f"HEALTHPIPE_{each.name.upper()}")
        for each in (*fields(AwsOptions), *fields(AthenaOptions))
    )


def test_every_permission_that_a_hint_names_is_documented():
    code = Path(__file__).parents[2] / "healthpipe"
    texts = (path.read_text(encoding="utf-8") for path in code.rglob("*.py"))
    pattern = r"\b(?:s3|glue|athena|sns|sts|kms|lakeformation):[A-Z][A-Za-z]+"
    named = {action for text in texts for action in re.findall(pattern, text)}

    assert len(named) > 10
    assert {action for action in named if f"`{action}`" not in ON_AWS} == set()
