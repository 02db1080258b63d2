"""What a line is: its endings, blank lines, byte order marks, its largest size."""

import gzip
import io
import tracemalloc

import pytest

from healthpipe.ingest import content as ingest_content
from healthpipe.ingest.content import Content
from tests.support.records import facility, write_records
from tests.support.source_files import BOM, LARGEST, RECORD, landed, set_aside


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
        (BOM + BOM + b"one", [b"one"]),
        (b"one\n" + BOM + b"two", [b"one", b"two"]),
        (b"one\r\n" + BOM + b"\x1e" + BOM + b"two", [b"one", b"two"]),
        (b"one" + BOM, [b"one" + BOM]),
        (BOM[:2], [BOM[:2]]),
        (b"one\n" + BOM[:2] + b"\ntwo", [b"one", BOM[:2], b"two"]),
        (b"\x1eone\n\x1etwo\n", [b"one", b"two"]),
        (b"\x1e\x1eone\x1e\n \x1etwo", [b"one\x1e", b" \x1etwo"]),
        (b"\x1e\n\x1e", [b""]),
    ],
)
def test_lines_end_at_lf_crlf_or_cr_and_marks_at_their_start_belong_to_none(
    chunk_bytes, content, expected, monkeypatch
):
    monkeypatch.setattr(ingest_content, "CHUNK_BYTES", chunk_bytes)
    found, rest = [], b""
    with Content(lambda: io.BytesIO(content)).decompressed() as reader:
        for piece in ingest_content.pieces(reader):
            rest += piece.content
            if piece.last:
                found.append(rest)
                rest = b""
    assert found + ([rest] if rest else []) == expected


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


@pytest.mark.pitfall(1)
def test_a_line_of_several_gigabytes_is_passed_on_and_never_held():
    stream, kept = ingest_content.pieces(EndlessLine(3000)), Counted()

    tracemalloc.start()
    is_blank = ingest_content.copy_line(stream, next(stream), kept)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (kept.size, is_blank) == (3000 * ingest_content.CHUNK_BYTES, False)
    assert [piece.content for piece in stream] == [b"short"]
    assert peak < 20_000_000


BAD_LINES = [
    b'{"facility_id": "F1"',
    b"{}",
    b'{"facility_id": "F\xff"}',
    b'{"facility_id": null}',
    b"nothing",
    b'{"facility_id": "F1"},',
    b"null",
    b"\0\0\0",
]


@pytest.mark.pitfall(3, 9, 11)
@pytest.mark.sample
@pytest.mark.every_engine
def test_a_bad_line_costs_itself_and_no_good_line_beside_it(result, tmp_path):
    good = [facility(f"G{number}") for number in range(10)]
    lines = [line for pair in zip(good, [*BAD_LINES, b"", b" "], strict=True) for line in pair]
    write_records(tmp_path / "in.jsonl", *lines)

    found = result("extract", "in.jsonl")

    assert found.rows == [[f"G{n}", "x", "", "0", ""] for n in range(10)]
    assert found.records == {
        "lines": 18,
        "accepted": 10,
        "rejected": 8,
        "superseded": 0,
        "resolved": 0,
    }
    assert found.issues == {
        "facility_id_missing": 2,
        "facility_name_missing": 2,
        "not_json": 4,
        "not_object": 1,
        "not_utf8": 1,
        "state_missing": 2,
    }
    assert sorted(line for _, _, line, _ in found.rejects) == sorted(BAD_LINES)


@pytest.mark.every_engine
@pytest.mark.parametrize("mark", [BOM, b"\x1e", BOM + BOM, b"\x1e" + BOM], ids=str)
@pytest.mark.parametrize("beside", [b'{"facility_id": "F3"}', b"\xff"], ids=["text", "no text"])
def test_marks_before_a_line_are_none_of_it(result, tmp_path, beside, mark):
    first, second = (b'{"facility_id": "F%d"}' % number for number in (1, 2))
    write_records(
        tmp_path / "in.jsonl", mark + first, b"", mark, mark + second, mark + b" ", beside
    )

    found = result("extract", "in.jsonl")

    assert found.first_column[:2] == ["F1", "F2"]
    assert found.records["lines"] == 3


@pytest.mark.every_engine
@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress], ids=["plain", "gzip"])
def test_record_separators_alone_end_lines_too(result, tmp_path, pack):
    values = b'{"facility_id": "F1"}', b'{"facility_id": "F2"} ', b'[{"facility_id": "F3"}]', b"{"
    name = "in.jsonl.gz" if pack is gzip.compress else "in.jsonl"
    (tmp_path / name).write_bytes(pack(b"".join(b"\x1e" + value for value in values)))

    found = result("extract", name)

    assert found.first_column == ["F1", "F2", "F3"]
    assert [line for _, _, line, _ in found.rejects] == [b"{"]


@pytest.mark.every_engine
def test_a_separator_within_a_file_of_lines_ends_none(result, tmp_path):
    write_records(tmp_path / "in.jsonl", '{"facility_id": "F1"}', '{"facility_id": "F2"}\x1e{}')

    assert result("extract", "in.jsonl").first_column == ["F1"]


@pytest.mark.every_engine
def test_a_rejected_line_is_kept_without_the_marks_before_it(result, tmp_path):
    write_records(tmp_path / "in.jsonl", BOM + b"nothing", b"\x1e{}", b'{"facility_id": "F1"}')

    found = result("extract", "in.jsonl")

    assert sorted(line for _, _, line, _ in found.rejects) == [b"nothing", b"{}"]


@pytest.mark.pitfall(9)
@pytest.mark.every_engine
def test_a_blank_line_in_a_gzip_is_no_reject(result, tmp_path):
    write_records(tmp_path / "in.jsonl.gz", "", facility("F1"), " \t", "", facility("F2"), "\r", "")

    found = result("extract", "in.jsonl.gz")

    assert found.records == {
        "lines": 2,
        "accepted": 2,
        "rejected": 0,
        "superseded": 0,
        "resolved": 0,
    }
    assert (found.issues, found.rejects) == ({}, [])
