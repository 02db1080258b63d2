"""From what a user names to lines: which files are read, and what becomes of their bytes."""

import base64
import datetime
import gzip
import io
import os
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest

from healthpipe.aws.session import AwsAccess
from healthpipe.engines import open_embedded
from healthpipe.engines.base import Query
from healthpipe.errors import SourceNotFound
from healthpipe.ingest import content as ingest_content
from healthpipe.ingest.content import Content
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing import LandingFolder, land
from healthpipe.ingest.manifest import Manifest
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.sources import find_files
from healthpipe.stages.curate import judge_lines, keep_records
from healthpipe.stages.options import options_from_words
from healthpipe.storage.layout import Root

BOM, RECORD, LARGEST = b"\xef\xbb\xbf", b'{"facility_id": "F1"}', 8_000_000


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 4, 5, 7, 1 << 20])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"one", [b"one"]),
        (b"one\n", [b"one"]),
        (b"one\ntwo", [b"one", b"two"]),
        (b"one\r\ntwo\r\n", [b"one", b"two"]),
        (b"one\rtwo\r", [b"one", b"two"]),
        (b"abcd\r\nefgh\r\n", [b"abcd", b"efgh"]),
        (b"a\nb\rc\r\nd", [b"a", b"b", b"c", b"d"]),
        (b"one\n\n\r\r\n\rtwo", [b"one", b"", b"", b"", b"", b"two"]),
        (b"\n\rone", [b"", b"", b"one"]),
        (b"a\x0bb\x0cc\x1cd\x85e\xe2\x80\xa8f", [b"a\x0bb\x0cc\x1cd\x85e\xe2\x80\xa8f"]),
        (BOM, []),
        (BOM + b"one\ntwo", [b"one", b"two"]),
        (BOM + b"\r\none", [b"", b"one"]),
        (BOM + BOM + b"one", [BOM + b"one"]),
        (b"one\n" + BOM + b"two", [b"one", BOM + b"two"]),
        (b"one" + BOM, [b"one" + BOM]),
        (BOM[:2], [BOM[:2]]),
    ],
)
def test_lines_end_at_lf_crlf_or_cr_and_a_bom_at_the_start_belongs_to_none(
    chunk_bytes, content, expected, monkeypatch
):
    monkeypatch.setattr(ingest_content, "CHUNK_BYTES", chunk_bytes)
    found, rest = [], b""
    for piece in ingest_content.pieces(io.BytesIO(content)):
        rest += piece.content
        if piece.last:
            found.append(rest)
            rest = b""
    assert found + ([rest] if rest else []) == expected


def landed(content, folder):
    (folder / "in").write_bytes(content)
    land(Content.of(folder / "in"), folder / "landed" / "000007.ndjson")
    return (folder / "landed" / "000007.ndjson").read_bytes()


def set_aside(line, reason):
    return base64.b64encode(line) + b"\x01" + reason


@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(RECORD, RECORD, id="a record"),
        pytest.param(b' \t{"a" :1e0}\t ', b' \t{"a" :1e0}\t ', id="its space"),
        pytest.param("ß漢🏥".encode(), "ß漢🏥".encode(), id="UTF-8"),
        pytest.param(b"\x0b\x0c", b"\x0b\x0c", id="space that is neither space nor tab"),
        pytest.param(b"no JSON \x00\x02", b"no JSON \x00\x02", id="what an engine can judge"),
        pytest.param(b"\xff\x01", set_aside(b"\xff\x01", b"not_utf8"), id="not UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', set_aside(b'"\xed\xa0\x80"', b"not_utf8"), id="surrogate"),
        pytest.param(b"a\x01b", set_aside(b"a\x01b", b"not_json"), id="U+0001"),
    ],
)
def test_landing_keeps_what_an_engine_can_read_and_sets_the_rest_aside(
    pack, line, expected, tmp_path
):
    content = BOM + RECORD + b"\r\n" + line + b"\r\n\n \t\r" + RECORD
    assert landed(pack(content), tmp_path) == b"\n".join([RECORD, expected, RECORD, b""])


@pytest.mark.parametrize("filling", [b"x", b"\xff", b"\x01"])
def test_a_line_above_eight_million_bytes_is_kept_in_a_file_beside(filling, tmp_path):
    large = [filling * (LARGEST + 1), filling * (LARGEST + 3_000_000)]
    content = b"\r\n".join([RECORD, large[0], RECORD, large[1]])
    *rows, end = landed(content, tmp_path).split(b"\n")
    assert (rows[0], rows[2], end) == (RECORD, RECORD, b"")
    for row, line in zip(rows[1::2], large, strict=True):
        name, _, reason = row.partition(b"\x01")
        assert reason == b"too_large"
        assert (tmp_path / name.decode()).read_bytes() == line


def test_a_line_of_eight_million_bytes_is_not_too_large(tmp_path):
    assert landed(b"x" * LARGEST + b"\r\n", tmp_path) == b"x" * LARGEST + b"\n"
    assert len(list((tmp_path / "landed").iterdir())) == 1


def test_a_line_of_nothing_but_space_is_no_line_however_long(tmp_path):
    assert landed(b" " * (LARGEST + 1) + b"\n" + RECORD, tmp_path) == RECORD + b"\n"


def damaged(content, how):
    packed = gzip.compress(content)
    match how:
        case "cut in half":
            return packed[: len(packed) // 2]
        case "without its end":
            return packed[:-1]
        case "wrong checksum":
            return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
        case "only its magic":
            return packed[:2]


DAMAGES = pytest.mark.parametrize(
    "how", ["cut in half", "without its end", "wrong checksum", "only its magic"]
)


@DAMAGES
@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl"])
def test_a_damaged_gzip_is_one_rejected_line(how, name, tmp_path):
    content = damaged(b"x" * (LARGEST + 3_000_000) + b"\n" + RECORD, how)
    assert landed(content, tmp_path) == b"\x01file_truncated\n"
    assert len(list((tmp_path / "landed").iterdir())) == 1
    (tmp_path / name).write_bytes(content)
    manifest = take_in(tmp_path, str(tmp_path / name))
    assert Path(manifest.files[0].landed).read_bytes() == b"\x01file_truncated\n"


def write(folder, *names, content=RECORD + b"\n"):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def find(folder, *sources):
    return find_files([str(source) for source in sources], Root(str(folder / "root")))


def take_in(folder, *sources):
    return Lander(LandingFolder.here(folder / "landed"), LocalReader(AwsAccess())).take_in(
        find(folder, *sources)
    )


def names(found):
    return [file.source for file in found.files]


def test_a_folder_is_read_to_any_depth_by_suffix_and_the_rest_is_listed_once(tmp_path):
    read = [
        f"{stem}{suffix}{packed}"
        for stem in ("a", "b/c/d/E")
        for suffix in (".json", ".jsonl", ".ndjson", ".txt", ".JSON")
        for packed in ("", ".gz")
    ]
    other = ["notes.csv", "b/x.parquet", "b/json", "b/x.json.bak", "x.gz", "b/x.csv.gz"]
    hidden = [".a.json", "_b.json", ".git/c.json", "b/_tmp/d.json", "b/.e.csv", "_SUCCESS"]
    write(tmp_path / "in", *read, *other, *hidden)
    found = find(tmp_path, tmp_path / "in")
    assert names(found) == sorted(read)
    assert sorted(found.skipped) == sorted(str(tmp_path / "in" / name) for name in other)


def test_a_folder_named_twice_lists_what_it_skips_once(tmp_path):
    write(tmp_path / "in", "a.json", "notes.csv")
    found = find(tmp_path, tmp_path / "in", tmp_path / "in")
    assert found.skipped == (str(tmp_path / "in" / "notes.csv"),)


def test_a_roots_own_folders_are_no_input_but_others_of_their_names_are(tmp_path):
    own = [f"{name}/x/a.json" for name in ("runs", "production", "state", "curated")]
    write(tmp_path / "root", *own, "raw/a.json", *(f"raw/{name}" for name in own))
    expected = sorted(["raw/a.json", *(f"raw/{name}" for name in own)])
    assert names(find(tmp_path, tmp_path / "root")) == expected
    assert names(find(tmp_path, tmp_path)) == [f"root/{name}" for name in expected]
    assert names(find(tmp_path)) == [name.removeprefix("raw/") for name in expected]


@pytest.mark.parametrize("name", ["notes.csv", ".hidden.json", "_x", "runs/a.json", "no suffix"])
def test_a_file_named_outright_is_always_read(name, tmp_path):
    write(tmp_path / "root", name)
    assert names(find(tmp_path, tmp_path / "root" / name)) == [Path(name).name]


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
    write(tmp_path / "in", "a.json", "b.json", "x/a.json", "x/z/a.json", "y/a.json", "y/c.csv")
    found = find(tmp_path, tmp_path / "in" / pattern)
    assert [os.path.relpath(file.uri, tmp_path / "in") for file in found.files] == expected
    assert names(found) == expected


@pytest.mark.parametrize(
    "again", ["in/a.json", "in", "./in/a.json", "in/*", "other/../in/a.json", "{absolute}/in"]
)
def test_a_file_named_twice_is_read_once(again, tmp_path, monkeypatch):
    write(tmp_path, "in/a.json", "other/b.txt")
    monkeypatch.chdir(tmp_path)
    assert len(find(tmp_path, "in/a.json", again.format(absolute=tmp_path)).files) == 1


@pytest.mark.parametrize("name", [b"a.json", b"x/a.json", b"caf\xe9.json"])
def test_files_of_two_sources_with_equal_names_are_kept_apart(name, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        write(folder, os.fsdecode(name))
    found = find(tmp_path, *folders)
    assert len(set(names(found))) == 2
    assert "".join(names(found)).encode("utf-8"), "a name in results is UTF-8"


def test_a_name_made_unique_is_not_the_name_of_a_third_file(tmp_path, monkeypatch):
    write(tmp_path, "x/a.json", "y/a.json", "z/x/a.json")
    monkeypatch.chdir(tmp_path)
    assert len(set(names(find(tmp_path, "x/a.json", "y/a.json", "z")))) == 3


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("a.json", None),
        ("2026-11-20/a.json", "2026-11-20"),
        ("snapshot_date=2026-11-20/a.json", "2026-11-20"),
        ("2026-11-20/deep/er/a.json", "2026-11-20"),
        ("2026-11-20/2026-11-21/a.json", "2026-11-21"),
        ("2026-11-21/snapshot_date=2026-11-20/x/a.json", "2026-11-20"),
        ("2026-02-30/a.json", None),
        ("2026-11-20/2026-02-30/a.json", "2026-11-20"),
        ("0000-01-01/a.json", None),
        ("20261120/a.json", None),
        ("2026-11-20T00/a.json", None),
        ("x2026-11-20/a.json", None),
        ("date=2026-11-20/a.json", None),
        ("٢٠٢٦-11-20/a.json", None),
        ("2026-11-20.json", None),
    ],
)
def test_the_nearest_dated_folder_gives_the_snapshot_date(name, date, tmp_path):
    write(tmp_path / "in", name)
    (file,) = find(tmp_path, tmp_path / "in").files
    assert file.folder_date == (date and datetime.date.fromisoformat(date))
    assert find(tmp_path, file.uri).files[0].folder_date == file.folder_date


@pytest.mark.parametrize("sources", [[], ["missing"], ["in/a.json", "mis*sing"], ["empty"]])
def test_a_source_that_is_missing_or_empty_is_refused(sources, tmp_path):
    write(tmp_path, "in/a.json", "empty/notes.csv", "empty/_x.json")
    with pytest.raises(SourceNotFound) as refusal:
        find(tmp_path, *(tmp_path / source for source in sources))
    assert refusal.value.exit_code == 2


ODD_NAMES = [b"[ab].json", b"a*.json", b"a?.json", b'it\'s "a".json', b"a;--$1.json", b"\xff.json"]


def test_odd_file_names_reach_the_engine(tmp_path):
    write(tmp_path / "in", "a.json", "ab.json", *map(os.fsdecode, ODD_NAMES))
    for sources in [[tmp_path / "in"], [tmp_path / "in" / os.fsdecode(n) for n in ODD_NAMES]]:
        manifest = take_in(tmp_path, *sources)
        with open_embedded(tmp_path) as engine:
            judge_lines(engine, [file.as_lines() for file in manifest.files])
            keep_records(engine, options_from_words("2026-01-05", {}), frozenset())
            balance = engine.rows(Query("balance"))[0]
        assert balance[:3] == (len(manifest.files), len(manifest.files), 0)
    assert len(manifest.files) == len(ODD_NAMES)


@pytest.mark.parametrize(
    ("name", "content", "is_landed", "compression"),
    [
        ("a.json", RECORD, False, "none"),
        ("a.json.gz", gzip.compress(RECORD, mtime=0), False, "gzip"),
        ("a.json", gzip.compress(RECORD, mtime=0), True, "gzip"),
        ("a.json.gz", RECORD, True, "none"),
    ],
)
def test_a_file_is_plain_or_gzip_by_its_content(name, content, is_landed, compression, tmp_path):
    (tmp_path / name).write_bytes(content)
    (file,) = take_in(tmp_path, tmp_path / name).files
    assert (file.landed is not None, file.compression) == (is_landed, compression)
    if is_landed:
        assert Path(file.landed).read_bytes() == RECORD + b"\n"
    assert (tmp_path / name).read_bytes() == content


def test_standard_input_is_read_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(RECORD)))
    first, again = take_in(tmp_path, "-"), take_in(tmp_path, "-")
    assert first == again
    assert (first.files[0].source, Path(first.files[0].uri).read_bytes()) == ("-", RECORD)
    assert first.changed_files(AwsAccess()) == []


def test_a_manifest_comes_back_from_its_document_as_it_was(tmp_path):
    write(tmp_path / "in", "2026-11-20/a.json", "b.json.gz", "c.csv", os.fsdecode(b"\xff.json"))
    manifest = take_in(tmp_path, tmp_path / "in")
    assert Manifest.from_json(manifest.to_json()) == manifest


def grow(path):
    with path.open("ab") as file:
        file.write(RECORD)


def grow_unnoticed(path):
    before = path.stat()
    grow(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_a_twin(path):
    twin, before = path.with_suffix(".twin"), path.stat()
    twin.write_bytes(b"#" * before.st_size)
    os.utime(twin, ns=(before.st_atime_ns, before.st_mtime_ns))
    twin.replace(path)


def touch(path):
    os.utime(path, (0, 0))


@pytest.mark.parametrize("change", [grow, grow_unnoticed, replace_by_a_twin, touch, Path.unlink])
def test_a_file_that_changed_since_it_was_listed_is_noticed(change, tmp_path):
    write(tmp_path / "in", "a.json", "b.json")
    os.utime(tmp_path / "in" / "b.json", (1, 1))
    manifest = take_in(tmp_path, tmp_path / "in")
    assert manifest.changed_files(AwsAccess()) == []
    change(tmp_path / "in" / "b.json")
    assert manifest.changed_files(AwsAccess()) == [str(tmp_path / "in" / "b.json")]


def test_a_glob_does_not_read_back_what_runs_have_written(tmp_path):
    write(tmp_path / "root", "raw/a.json", "runs/1/run.json", "production/1/b.json")

    assert names(find(tmp_path, tmp_path / "root" / "**" / "*.json")) == ["raw/a.json"]
    assert names(find(tmp_path, tmp_path / "root" / "*")) == ["raw/a.json"]


def test_a_file_that_is_read_is_not_listed_as_skipped(tmp_path):
    write(tmp_path, "in/a.json", "in/b.log")

    assert find(tmp_path, tmp_path / "in", tmp_path / "in" / "b.log").skipped == ()


class EndlessLine:
    """A line of several gigabytes that lies nowhere, and a short one after it."""

    CHUNK = b"x" * ingest_content.CHUNK_BYTES

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks

    def read(self, _: int) -> bytes:
        self.chunks -= 1
        if self.chunks >= 0:
            return self.CHUNK
        return b"\nshort" if self.chunks == -1 else b""


class Counted(io.RawIOBase):
    """Takes any number of bytes and keeps none."""

    size = 0

    def write(self, content) -> int:
        self.size += len(content)
        return len(content)


def test_a_line_of_several_gigabytes_is_passed_on_and_never_held():
    stream, kept = ingest_content.pieces(EndlessLine(3000)), Counted()

    tracemalloc.start()
    is_blank = ingest_content.copy_line(stream, next(stream), kept)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (kept.size, is_blank) == (3000 * ingest_content.CHUNK_BYTES, False)
    assert [piece.content for piece in stream] == [b"short"]
    assert peak < 20_000_000
