"""SOURCEs on S3: an object, a prefix, a glob, by the rules of a local folder."""

import datetime
import gzip
from pathlib import Path

import pytest

from healthpipe.errors import SourceNotFound, UsageError
from healthpipe.ingest.sources import find_files
from healthpipe.storage.base import StoredFile
from healthpipe.storage.layout import Root, open_root
from healthpipe.storage.s3.storage import S3Storage

pytest_plugins = ["tests.support.s3_bucket"]

LARGE = b'{"facility_id": "L1", "x": "' + b"x" * 8_000_100 + b'"}\n'
LINE = b'{"facility_id": "F1"}\n'
NAMES = (
    "2026-01-05/a.jsonl",
    "2026-01-05/b.ndjson.gz",
    "2026-01-05/notes.md",
    "2026-01-05/.hidden.jsonl",
    "_old/c.jsonl",
    ".git/c.jsonl",
    "snapshot_date=2026-02-02/deep/er/c.json",
    "d.txt",
    "x-1.jsonl",
    "x-2.jsonl",
    "no-suffix",
    "café/é ü.jsonl",
)


@pytest.fixture
def both(s3_bucket, tmp_path, monkeypatch):
    """The same files in a local folder `raw` and in the s3_bucket."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LINE)
    s3_bucket.put_folder(tmp_path / "raw", "raw")
    s3_bucket.put("raw/")  # as consoles show a folder
    s3_bucket.put("raw/2026-01-05/")
    return s3_bucket


def told(sources, root):
    found = find_files(sources, root)
    return [(file.source, file.folder_date) for file in found.files], sorted(
        (skipped.source, skipped.reason) for skipped in found.skipped
    )


@pytest.mark.parametrize(
    "source",
    [
        "raw",
        "raw/",
        "raw/d.txt",
        "raw/no-suffix",
        "raw/2026-01-05",
        "raw/x-*.jsonl",
        "raw/x-[1].jsonl",
        "raw/*/a.jsonl",
        "raw/*",
        "raw/**",
        "raw/**/*.jsonl",
        "raw/*-01-*",
        "raw/_old/*",
        "raw/.git/*.jsonl",
        "raw/.*/c.jsonl",
        "raw/*/deep",
        "raw/snap*/**",
        "raw/2026-01-0?/*.gz",
    ],
)
def test_a_source_on_s3_means_what_it_means_in_a_folder(both, source):
    assert told([f"{both.uri}/{source}"], Root(both.uri)) == told([source], Root("elsewhere"))


def test_files_are_told_with_size_and_version_by_the_listing(both):
    (file,) = find_files([f"{both.uri}/raw/d.txt"], Root(both.uri)).files
    assert file.uri == f"{both.uri}/raw/d.txt"
    assert file.listed.size == len(LINE)
    found = find_files([], open_root(both.uri)).files
    assert all(each.listed.size == len(LINE) and each.listed.version for each in found)
    dated = {each.source: each.folder_date for each in found}
    assert dated["snapshot_date=2026-02-02/deep/er/c.json"] == datetime.date(2026, 2, 2)


@pytest.mark.parametrize("source", ["raw/nothing", "raw/*.csv", "raw/d.txt/x", "raw/nothing/"])
def test_what_is_not_there_is_said(both, source):
    with pytest.raises(SourceNotFound, match="is not there"):
        find_files([f"{both.uri}/{source}"], Root(both.uri))


def test_a_bucket_that_is_not_there_is_said(both):
    with pytest.raises(SourceNotFound):
        find_files(["s3://no-such-bucket-here/raw"], Root(both.uri))


def test_a_prefix_of_nothing_to_read_is_said(both):
    both.put("empty/readme.md", "x")
    with pytest.raises(SourceNotFound, match="holds no file to read"):
        find_files([f"{both.uri}/empty"], Root(both.uri))


@pytest.mark.parametrize("uri", ["s3://", "s3:///x", "s3://A_B/x", "s3://ab", "s3://a..b/x"])
def test_a_bucket_that_cannot_be_is_refused(uri, tmp_path):
    with pytest.raises(UsageError):
        find_files([uri], Root(str(tmp_path)))
    with pytest.raises(UsageError):
        open_root(uri)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
    ],
)
def test_a_root_has_no_slash_at_its_end(text, uri):
    assert open_root(text).uri == uri


@pytest.mark.parametrize("text", ["s3://bucket/a//b", "s3://bucket/../b", "s3://bucket/./b"])
def test_a_root_of_odd_parts_is_refused(text):
    with pytest.raises(UsageError):
        open_root(text)


@pytest.mark.parametrize("source", ["", "data", "data/*", "**"])
def test_the_root_s_own_folders_are_no_input(s3_bucket, source):
    for folder in ("runs", "production", "state", "curated", "raw", "other"):
        s3_bucket.put(f"data/{folder}/x.jsonl", LINE)
    s3_bucket.put("data-2/runs/y.jsonl", LINE)
    found = find_files([f"{s3_bucket.uri}/{source}"], Root(f"{s3_bucket.uri}/data"))
    keys = {file.uri.removeprefix(f"{s3_bucket.uri}/") for file in found.files}
    assert {"data/raw/x.jsonl", "data/other/x.jsonl"} <= keys
    assert not {key for key in keys if key.startswith("data/") and "x.jsonl" in key} - {
        "data/raw/x.jsonl",
        "data/other/x.jsonl",
    }
    assert ("data-2/runs/y.jsonl" in keys) is (not source.startswith("data"))


def test_one_file_through_two_sources_is_read_once_and_equal_names_are_told_apart(both, tmp_path):
    for name in ("one", "two"):
        both.put(f"{name}/a.jsonl", LINE)
    one, two = f"{both.uri}/one", f"{both.uri}/two"
    found = find_files([one, f"{one}/a.jsonl", two, "raw/x-1.jsonl"], Root(both.uri)).files
    assert [file.source for file in found] == [f"{one}/a.jsonl", f"{two}/a.jsonl", "x-1.jsonl"]


def test_25_000_keys_are_listed_in_pages_and_none_is_asked_for_alone(s3_bucket, monkeypatch):
    def listed(self, folder):
        for number in range(25_000 if folder == f"{s3_bucket.uri}/raw" else 0):
            yield StoredFile(f"{folder}/{number:05}.jsonl", 10, f"v{number}", 0.0)

    asked = []
    monkeypatch.setattr(S3Storage, "list", listed)
    monkeypatch.setattr(S3Storage, "stat", lambda _, uri: asked.append(uri))
    assert len(find_files([f"{s3_bucket.uri}/raw"], Root(s3_bucket.uri)).files) == 25_000
    assert len(find_files([f"{s3_bucket.uri}/raw/*[05].jsonl"], Root(s3_bucket.uri)).files) == 5_000
    assert len(asked) == 2, "for the name itself, which may be one object"


def test_gzip_and_containers_on_s3_come_to_the_same_rows_as_here(s3_bucket, cli, tmp_path):
    raw = tmp_path / "in" / "2026-01-05"
    raw.mkdir(parents=True)
    files = {
        "a.jsonl": b'{"facility_id": "A1"}\n{"facility_id": "A2"}\n\xff\n',
        "b.jsonl.gz": gzip.compress(b'{"facility_id": "B1"}\n'),
        "plain.jsonl.gz": b'{"facility_id": "P1"}\n',
        "packed.jsonl": gzip.compress(b'{"facility_id": "G1"}\n' + LARGE),
        "cut.jsonl.gz": gzip.compress(b'{"facility_id": "C1"}\n' * 50)[:40],
        "array.json": b'[{"facility_id": "R1"},\n {"facility_id": "R2"}, [1]]',
        "wrapped.json": b'{"sample_data": [{"facility_id": "W1"}]}',
        "empty.jsonl": b"",
        "bom.jsonl": b"\xef\xbb\xbf" + b'{"facility_id": "M1"}\r\n',
    }
    for name, content in files.items():
        (raw / name).write_bytes(content)
    s3_bucket.put_folder(tmp_path / "in", "in")
    roots = {"in": "data", f"{s3_bucket.uri}/in": f"{s3_bucket.uri}/data"}
    # A local SOURCE with a root on S3, and the other way round.
    roots |= {"./in": f"{s3_bucket.uri}/other", f"{s3_bucket.uri}/in/": "other"}

    documents, rows = [], []
    for source, root in roots.items():
        out = f"rows-{len(rows)}.csv"
        outcome = cli("extract", source, "--root", root, "-o", out, "--json")
        assert outcome.code == 0, outcome.err
        documents.append(outcome.document)
        rows.append(Path(out).read_bytes())
    assert set(rows) == {rows[0]}
    kept = [{key: each[key] for key in ("input", "records", "issues")} for each in documents]
    assert kept == [kept[0]] * 4
    assert kept[0]["records"]["accepted"] == 9
    landed = s3_bucket.keys(f"data/runs/{documents[1]['run_id']}/landed/")
    assert landed
    assert all(key.endswith("-1.bin") for key in landed)
    assert not list(Path("data/runs", documents[0]["run_id"]).glob(".attempt"))
