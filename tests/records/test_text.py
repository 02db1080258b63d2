"""Text: what is trimmed, what stays as it was, and that none of it becomes SQL."""

import pytest

from healthpipe.contract import CONSTANTS
from tests.conftest import AS_OF
from tests.support.patterns import without_in_duckdb, without_in_python
from tests.support.records import LATER, csv_rows, facility, write_records


@pytest.mark.pitfall(12)
@pytest.mark.every_engine
def test_an_id_stays_the_text_that_it_was(result, tmp_path):
    names = ["007", "7", "1e5", "0x1F", "true", "12.50", "2026-01-05", "1_000", "nulls", "NaN"]
    write_records(tmp_path / "in.jsonl", *(facility(name, facility_name=name) for name in names))

    assert [row[:2] for row in result("extract", "in.jsonl").rows] == [
        [n, n] for n in sorted(names)
    ]


HOSTILE = [
    "'; drop table current; --", '"; select 1; --', "x' or '1'='1", "$1", ":as_of", "=?", "{0}",
    "%s", "\\'", "*", "/* x */", "a;b", "$$", "`id`",
]  # fmt: skip


@pytest.mark.pitfall(30)
@pytest.mark.sample
@pytest.mark.every_engine
def test_sql_in_names_ids_and_states_is_nothing_but_text(cli, rig, tmp_path):
    root, output = rig.named_root("r'oot; --"), "o'ut\"; drop table current; --.csv"
    for number, text in enumerate(HOSTILE):
        name = text.replace("/", "")
        state = f"{text}{number}"
        write_records(
            tmp_path / "in" / f"{name}{number}" / f"{name}.jsonl",
            facility(text, LATER, state=state, facility_name=text),
            "no record",
        )
    options = ("--as-of", AS_OF, "--root", root, "-o", output, "--json")

    document = cli("state-counts", "in", *options).document

    assert document["records"]["accepted"] == document["records"]["rejected"] == len(HOSTILE)
    assert csv_rows((tmp_path / output).read_text()) == [
        [state, "1", "1", "0", "1"]
        for state in sorted(f"{text}{number}".upper() for number, text in enumerate(HOSTILE))
    ]
    cli("extract", "in", *options)
    found = [row[:2] for row in csv_rows((tmp_path / output).read_text())]
    assert found == [[text, text] for text in sorted(HOSTILE)]


@pytest.mark.parametrize("without", [without_in_python, without_in_duckdb])
@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        ("x", "x"), (" x ", "x"), ("\t\r\n x\r\n\t", "x"), ("a \n\t b", "a \n\t b"),
        (" a \n b ", "a \n b"), ("", ""), (" \t\r\n", ""), ("\u00a0x\u00a0", "\u00a0x\u00a0"),
        ("\u3000x\x0b", "\u3000x\x0b"), ("\\t", "\\t"), ("trnt", "trnt"),
    ],
)  # fmt: skip
def test_the_outer_space_is_space_tab_cr_and_lf_at_both_ends(without, text, trimmed):
    assert without(CONSTANTS["outer_space"], text) == trimmed
