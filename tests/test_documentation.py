"""What the documents say of the rules is what the code knows."""

import re
from pathlib import Path

from healthpipe.contract import RULES, Reason

RECORDS = (Path(__file__).parents[1] / "docs" / "records.md").read_text(encoding="utf-8")


def test_every_rule_is_documented_with_its_severity():
    documented = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", RECORDS, flags=re.MULTILINE))

    assert documented == {rule.reason.value: rule.severity.value for rule in RULES}
    assert set(documented) == set(Reason)
