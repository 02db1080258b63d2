"""The shape of a file is told by its content, and each shape comes to its lines."""

import gzip
import json

import pytest

from tests.conftest import AS_OF
from tests.support.container_oracle import lines_of
from tests.support.records import LATER, facility
from tests.support.shapes import BOM, SHAPES, ingest_file, landed_lines


@pytest.mark.parametrize("mark", [b"", BOM], ids=["", "BOM"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_file_of_a_shape_comes_to_its_lines(tmp_path, name, packed, mark):
    content, shape, lines = SHAPES[name]
    stored = gzip.compress(mark + content) if packed else mark + content

    file = ingest_file(tmp_path, "in.json.gz" if packed else "in.json", stored)

    assert (file.shape, landed_lines(file, mark + content)) == (shape, lines)
    assert {path.suffix for path in tmp_path.rglob("landed/*")} <= {".ndjson"}


@pytest.mark.parametrize("name", SHAPES)
def test_the_oracle_agrees_on_the_shapes(name):
    content, _, lines = SHAPES[name]

    assert lines_of(BOM + content) == ("file_not_json" if lines is None else lines)


def test_a_folder_of_all_shapes_is_read_as_one(cli, tmp_path):
    lines = rejected = 0
    (tmp_path / "in").mkdir()
    for number, (content, _, expected) in enumerate(SHAPES.values()):
        (tmp_path / "in" / f"{number}.json").write_bytes(content)
        lines += 1 if expected is None else len(expected)
        rejected += 1 if expected is None else sum(b"facility_id" not in x for x in expected)
    cut = sum(1 for _, _, expected in SHAPES.values() for x in expected or () if not is_record(x))

    document = cli("extract", "in", "--as-of", AS_OF, "--json").document

    assert document["records"]["lines"] == lines
    broken = sum(expected is None for _, _, expected in SHAPES.values())
    assert document["issues"]["file_not_json"] == broken
    assert document["records"]["rejected"] == broken + cut


def is_record(line: bytes) -> bool:
    try:
        value = json.loads(line, parse_constant=lambda _: 1 / 0)
    except (ValueError, ArithmeticError):
        return False
    return isinstance(value, dict) and "facility_id" in value


RECORDS = [facility("F1", LATER), facility("F2", "2027-03-01")]
FORMS = {
    "a compact array": json.dumps(RECORDS, separators=(",", ":")),
    "a pretty array": json.dumps(RECORDS, indent=4),
    "a compact wrapper": json.dumps({"sample_data": RECORDS}),
    "a pretty wrapper": json.dumps({"count": 2, "sample_data": RECORDS}, indent=2),
    "pretty objects": "\n".join(json.dumps(record, indent=2) for record in RECORDS),
}


@pytest.mark.pitfall(5, 6, 7)
@pytest.mark.every_engine
@pytest.mark.parametrize("form", FORMS)
def test_records_count_as_records_in_whatever_form_they_come(result, tmp_path, form):
    (tmp_path / "in.json").write_text(FORMS[form])

    assert result("extract", "in.json").rows == [
        ["F1", "x", "", "0", "2026-03-01"],
        ["F2", "x", "", "0", "2027-03-01"],
    ]
