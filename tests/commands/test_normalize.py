"""`normalize`: five flat tables in one folder, replaced whole or not at all."""

import pytest

from healthpipe.choices import Format
from tests.conftest import tree


@pytest.mark.parametrize("fmt", Format)
def test_the_flat_tables_lie_in_one_folder(cli, examples, tmp_path, fmt):
    outcome = cli("normalize", "examples", "--format", fmt.value, "-o", "tables")

    assert outcome.out == "tables\n"
    assert tree(tmp_path / "tables") == {
        f"{name}.{fmt.value}"
        for name in (
            "facilities",
            "facility_services",
            "facility_labs",
            "lab_certifications",
            "facility_accreditations",
        )
    }


def test_no_records_are_five_tables_without_rows(cli, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"facility_id": "1", "services": [], "labs": []}\n')

    document = cli("normalize", "x.jsonl", "--json").document

    rows = {file["view"]: file["rows"] for file in document["output"]["files"]}
    assert rows.pop("facilities") == 1
    assert set(rows.values()) == {0}
    assert len(rows) == 4


def test_an_earlier_folder_of_tables_is_replaced_whole(cli, examples, tmp_path):
    cli("normalize", "examples", "--format", "csv", "-o", "tables")

    assert cli("normalize", "examples", "-o", "tables").code == 0

    assert {path.suffix for path in (tmp_path / "tables").iterdir()} == {".parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {"data", "examples", "tables"}


def test_a_folder_with_anything_else_in_it_is_not_replaced(cli, examples, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "thesis.doc").touch()

    outcome = cli("normalize", "examples", "-o", "tables")

    assert outcome.code == 2
    assert "thesis.doc" in outcome.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("output", "what"), [("-", "several files"), ("file", "is a file"), ("examples/x", "inside")]
)
def test_five_tables_need_a_folder_outside_the_source(cli, examples, tmp_path, output, what):
    (tmp_path / "file").touch()

    outcome = cli("normalize", "examples", "-o", output)

    assert (outcome.code, outcome.out) == (2, "")
    assert what in outcome.err


def test_when_one_table_fails_the_earlier_folder_stays(cli, examples, tmp_path, monkeypatch):
    cli("normalize", "examples", "--format", "csv", "-o", "tables")
    before = tree(tmp_path)
    from healthpipe.engines.duckdb import DuckDBEngine

    write = DuckDBEngine.write

    def fail_late(engine, relation, path, fmt):
        if path.stem == "facility_accreditations":
            raise OSError("broken")
        return write(engine, relation, path, fmt)

    monkeypatch.setattr(DuckDBEngine, "write", fail_late)

    assert cli("normalize", "examples", "-o", "tables").code == 4

    assert {name for name in tree(tmp_path) if not name.startswith("data/")} == {
        name for name in before if not name.startswith("data/")
    }
