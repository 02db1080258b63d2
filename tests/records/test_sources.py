"""SOURCEs: which files of a folder, a glob or a name are read, and under which name."""

import json
import os
from pathlib import Path

import pytest

from healthpipe.engines import open_embedded
from healthpipe.engines.base import Query
from healthpipe.errors import SourceNotFound
from healthpipe.stages.curate import judge_lines, keep_records
from healthpipe.stages.options import RawOptions
from tests.conftest import AS_OF
from tests.support.records import LATER, csv_rows, facility, parquet_rows, write_records
from tests.support.source_files import (
    find_sources,
    ingest_sources,
    skipped_uris,
    source_names,
    write_files,
)


def test_a_folder_is_read_to_any_depth_by_suffix_and_the_rest_is_listed_once(tmp_path):
    read = [
        f"{stem}{suffix}{packed}"
        for stem in ("a", "b/c/d/E")
        for suffix in (".json", ".jsonl", ".ndjson", ".txt", ".JSON")
        for packed in ("", ".gz")
    ]
    other = ["notes.csv", "b/x.parquet", "b/json", "b/x.json.bak", "x.gz", "b/x.csv.gz"]
    hidden = [".a.json", "_b.json", ".git/c.json", "b/_tmp/d.json", "b/.e.csv", "_SUCCESS"]
    write_files(tmp_path / "in", *read, *other, *hidden)
    found = find_sources(tmp_path, tmp_path / "in")
    assert source_names(found) == sorted(read)
    assert sorted(skipped_uris(found)) == sorted(str(tmp_path / "in" / name) for name in other)


def test_a_folder_named_twice_lists_what_it_skips_once(tmp_path):
    write_files(tmp_path / "in", "a.json", "notes.csv")
    found = find_sources(tmp_path, tmp_path / "in", tmp_path / "in")
    assert skipped_uris(found) == [str(tmp_path / "in" / "notes.csv")]


def test_a_roots_own_folders_are_no_input_but_others_of_their_names_are(tmp_path):
    own = [f"{name}/x/a.json" for name in ("runs", "production", "state", "curated")]
    write_files(tmp_path / "root", *own, "raw/a.json", *(f"raw/{name}" for name in own))
    expected = sorted(["raw/a.json", *(f"raw/{name}" for name in own)])
    assert source_names(find_sources(tmp_path, tmp_path / "root")) == expected
    assert source_names(find_sources(tmp_path, tmp_path)) == [f"root/{name}" for name in expected]
    assert source_names(find_sources(tmp_path)) == [name.removeprefix("raw/") for name in expected]


@pytest.mark.parametrize("name", ["notes.csv", ".hidden.json", "_x", "runs/a.json", "no suffix"])
def test_a_file_named_outright_is_always_read(name, tmp_path):
    write_files(tmp_path / "root", name)
    assert source_names(find_sources(tmp_path, tmp_path / "root" / name)) == [Path(name).name]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.json", ["a.json", "b.json"]),
        ("[b]*", ["b.json"]),
        ("?.json", ["a.json", "b.json"]),
        ("*/a.json", ["x/a.json", "y/a.json"]),
        ("**/a.json", ["a.json", "x/a.json", "x/z/a.json", "y/a.json"]),
        ("x*", ["x/a.json", "x/z/a.json"]),
    ],
)
def test_a_glob_names_files_and_folders(pattern, expected, tmp_path):
    write_files(
        tmp_path / "in", "a.json", "b.json", "x/a.json", "x/z/a.json", "y/a.json", "y/c.csv"
    )
    found = find_sources(tmp_path, tmp_path / "in" / pattern)
    assert [os.path.relpath(file.uri, tmp_path / "in") for file in found.files] == expected
    assert source_names(found) == expected


@pytest.mark.parametrize(
    "again", ["in/a.json", "in", "./in/a.json", "in/*", "other/../in/a.json", "{absolute}/in"]
)
def test_a_file_named_twice_is_read_once(again, tmp_path, monkeypatch):
    write_files(tmp_path, "in/a.json", "other/b.txt")
    monkeypatch.chdir(tmp_path)
    assert len(find_sources(tmp_path, "in/a.json", again.format(absolute=tmp_path)).files) == 1


@pytest.mark.parametrize("name", [b"a.json", b"x/a.json", b"caf\xe9.json"])
def test_files_of_two_sources_with_equal_names_are_kept_apart(name, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        write_files(folder, os.fsdecode(name))
    found = find_sources(tmp_path, *folders)
    assert len(set(source_names(found))) == 2
    assert "".join(source_names(found)).encode("utf-8"), "a name in results is UTF-8"


def test_a_name_made_unique_is_not_the_name_of_a_third_file(tmp_path, monkeypatch):
    write_files(tmp_path, "x/a.json", "y/a.json", "z/x/a.json")
    monkeypatch.chdir(tmp_path)
    assert len(set(source_names(find_sources(tmp_path, "x/a.json", "y/a.json", "z")))) == 3


@pytest.mark.parametrize("sources", [[], ["missing"], ["in/a.json", "mis*sing"], ["empty"]])
def test_a_source_that_is_missing_or_empty_is_refused(sources, tmp_path):
    write_files(tmp_path, "in/a.json", "empty/notes.csv", "empty/_x.json")
    with pytest.raises(SourceNotFound) as refusal:
        find_sources(tmp_path, *(tmp_path / source for source in sources))
    assert refusal.value.exit_code == 2


ODD_NAMES = [b"[ab].json", b"a*.json", b"a?.json", b'it\'s "a".json', b"a;--$1.json", b"\xff.json"]


def test_odd_file_names_reach_the_engine(tmp_path):
    write_files(tmp_path / "in", "a.json", "ab.json", *map(os.fsdecode, ODD_NAMES))
    for sources in [[tmp_path / "in"], [tmp_path / "in" / os.fsdecode(n) for n in ODD_NAMES]]:
        manifest = ingest_sources(tmp_path, *sources)
        with open_embedded(tmp_path) as engine:
            options = RawOptions().checked("2026-01-05")
            judge_lines(engine, [file.as_lines() for file in manifest.files], options)
            keep_records(engine, options, frozenset())
            balance = engine.rows(Query("balance"))[0]
        assert balance[:3] == (len(manifest.files), len(manifest.files), 0)
    assert len(manifest.files) == len(ODD_NAMES)


def test_a_glob_does_not_read_back_what_runs_have_written(tmp_path):
    write_files(tmp_path / "root", "raw/a.json", "runs/1/run.json", "production/1/b.json")

    assert source_names(find_sources(tmp_path, tmp_path / "root" / "**" / "*.json")) == [
        "raw/a.json"
    ]
    assert source_names(find_sources(tmp_path, tmp_path / "root" / "*")) == ["raw/a.json"]


def test_a_file_that_is_read_is_not_listed_as_skipped(tmp_path):
    write_files(tmp_path, "in/a.json", "in/b.log")

    assert find_sources(tmp_path, tmp_path / "in", tmp_path / "in" / "b.log").skipped == ()


@pytest.mark.pitfall(2)
def test_a_listing_and_a_result_of_more_than_a_thousand_are_whole(cli, tmp_path):
    for number in range(1500):
        write_records(
            tmp_path / "in" / f"{number % 7}" / f"{number}.jsonl", facility(f"F{number:04}")
        )

    document = cli("extract", "in", "--as-of", AS_OF, "-o", "x.csv", "--json").document

    assert document["input"]["files"] == 1500
    assert document["records"] == {
        "lines": 1500,
        "accepted": 1500,
        "rejected": 0,
        "superseded": 0,
        "resolved": 0,
    }
    assert [row[0] for row in csv_rows((tmp_path / "x.csv").read_text())] == [
        f"F{number:04}" for number in range(1500)
    ]


@pytest.mark.pitfall(28)
def test_a_late_file_is_read_and_an_early_one_is_not_frozen_in(published, tmp_path):
    early = tmp_path / "data" / "raw" / "2026-01-05"
    write_records(early / "a.jsonl", facility("F1", facility_name="before"), facility("F2"))
    write_records(tmp_path / "data" / "raw" / "2026-02-05" / "a.jsonl", facility("F3"))
    published()
    write_records(early / "a.jsonl", facility("F1", facility_name="mended"))
    write_records(early / "late.jsonl", facility("F4"))

    now = parquet_rows(published()["extract.parquet"])

    assert [row[:2] for row in now] == [("F1", "mended"), ("F3", "x"), ("F4", "x")]


@pytest.mark.pitfall(29)
@pytest.mark.parametrize("source", ["data", "."])
def test_results_are_never_read_back_as_input(cli, published, tmp_path, source):
    write_records(tmp_path / "data" / "raw" / "2026-01-05" / "a.jsonl", facility("F1", LATER))
    published(source)
    cli("filter-expiring", source, "--as-of", AS_OF)
    cli("state-counts", source, "--as-of", AS_OF, "--format", "json")

    document = cli("orchestrate", source, "--as-of", AS_OF, "--json").document

    assert (document["input"]["files"], document["records"]["lines"]) == (1, 1)


@pytest.mark.pitfall(52)
@pytest.mark.every_engine
def test_files_of_one_name_in_several_folders_all_count(result, tmp_path):
    bad = b"no record"
    for folder in ("north", "south"):
        write_records(tmp_path / folder / "lines.jsonl", facility(f"{folder} 1"), bad)
        write_records(tmp_path / folder / "packed.json.gz", facility(f"{folder} 2"), bad)
        write_records(tmp_path / folder / "array.json", json.dumps([facility(f"{folder} 3"), 5]))

    for sources in (["north", "south"], ["."]):
        found = result("extract", *sources)
        assert found.first_column == [
            *(f"north {number}" for number in (1, 2, 3)),
            *(f"south {number}" for number in (1, 2, 3)),
        ]
    assert sorted((source, line) for source, _, line, _ in found.rejects) == [
        ("north/array.json", b"5"),
        ("north/lines.jsonl", bad),
        ("north/packed.json.gz", bad),
        ("south/array.json", b"5"),
        ("south/lines.jsonl", bad),
        ("south/packed.json.gz", bad),
    ]
