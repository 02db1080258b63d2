"""Packed files: told by their content, read to their end, and rejected when damaged."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from healthpipe.ingest.content import Content
from healthpipe.ingest.landing import land
from tests.support.records import facility, write_records
from tests.support.source_files import LARGEST, RECORD, ingest_sources, landed


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
    manifest = ingest_sources(tmp_path, str(tmp_path / name))
    assert Path(manifest.files[0].landed).read_bytes() == b"\x01file_truncated\n"


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
    (file,) = ingest_sources(tmp_path, tmp_path / name).files
    assert (file.landed is not None, file.compression) == (is_landed, compression)
    if is_landed:
        assert Path(file.landed).read_bytes() == RECORD + b"\n"
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.pitfall(1)
@pytest.mark.parametrize(
    "content", [b"x" * 60_000_000, (b"x" * 999 + b"\n") * 60_000], ids=["a line", "lines"]
)
def test_a_packed_file_is_not_held_in_memory(tmp_path, content):
    (tmp_path / "in.gz").write_bytes(gzip.compress(content, 1))
    size = len(content)

    tracemalloc.start()
    land(Content.of(tmp_path / "in.gz"), tmp_path / "landed" / "0.ndjson")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert sum(path.stat().st_size for path in (tmp_path / "landed").iterdir()) >= size
    assert peak < size / 2


@pytest.mark.pitfall(13)
@pytest.mark.every_engine
def test_nothing_of_a_gzip_cut_off_is_used_and_the_file_beside_it_is(result, tmp_path):
    whole = write_records(
        tmp_path / "in" / "cut.jsonl.gz", *(facility(f"C{n}") for n in range(2000))
    )
    whole.write_bytes(whole.read_bytes()[:-6])
    write_records(tmp_path / "in" / "whole.jsonl.gz", facility("W"))

    found = result("extract", "in")

    assert found.first_column == ["W"]
    assert found.issues == {"file_truncated": 1}
