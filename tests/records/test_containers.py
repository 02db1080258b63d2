"""Arrays, wrappers and sequences of objects: split in constant memory, whole or not quite."""

import contextlib
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from healthpipe.ingest.content import Content
from healthpipe.ingest.formats import records_in
from healthpipe.ingest.json_splitter import JsonSplitter
from healthpipe.ingest.landing import land_container
from tests.support.shapes import ONE, PRETTY, PRETTY_LINE, TWO, check_lines, ingest_file
from tests.support.strategies import containers, nestings

PADDING = b"x" * 36 + b'", "'  # of few tokens, which take the time
LARGE = b'{"facility_id": "L", "pad": ["' + PADDING * 250_000 + b'"]}'
VERY_LARGE = b'{"facility_id": "L", "pad": ["' + PADDING * 500_000 + b'"]}'


@pytest.mark.parametrize("large", [LARGE, VERY_LARGE], ids=["held", "followed"])
def test_a_record_too_large_is_kept_beside_the_others(tmp_path, large):
    file = ingest_file(tmp_path, "in.json", b"[" + ONE + b",\n" + large + b",\n" + TWO + b"]")

    lines = Path(file.landed).read_bytes().splitlines()
    assert [lines[0], lines[2]] == [ONE, TWO]
    kept, _, reason = lines[1].partition(b"\x01")
    assert reason == b"too_large"
    assert (tmp_path / kept.decode()).read_bytes() == large


@pytest.mark.parametrize(
    "start", [b'[{"a": "', b'{"a": "', b'[\n["', b"[1"], ids=["array", "object", "list", "number"]
)
def test_one_endless_token_is_no_container_and_not_held_in_memory(tmp_path, start):
    path = tmp_path / "in.json"
    with path.open("wb") as file:
        file.write(start + b"1" * 40_000_000)

    tracemalloc.start()
    shape = land_container(Content.of(path), tmp_path / "landed.ndjson")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert shape is None
    assert peak < 150_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


class Endless(io.RawIOBase):
    """A pretty-printed array of some hundred megabytes that lies nowhere."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.rest = b"[\n"

    def read(self, size: int = -1) -> bytes:
        while len(self.rest) < size and self.records:
            self.records -= 1
            self.rest += PRETTY + (b",\n" if self.records else b"\n]\n")
        found, self.rest = self.rest[:size], self.rest[size:]
        return found


@pytest.mark.pitfall(1)
def test_an_array_is_streamed_in_constant_memory(tmp_path):
    tracemalloc.start()
    _, records = records_in(lambda: JsonSplitter(Endless(100_000), tmp_path / "spill"))
    assert sum(record.value == PRETTY_LINE for record in records) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 20_000_000


@given(containers())
@settings(max_examples=300, deadline=None)
@example(b'{"e": [],"a":["x" ,{"facility_id: ""}]}')
@example(b'{"a": "\\u12')
@example(b'{"a": "\\u00e4')
@example(b'{"a": "\\u12zz"')
@example(b'{"a": "\\')
@example(b'{"a": tr')
@example(b'{"a": tx')
@example(b"[e")
@example(b"[.")
@example(b'[{"a": 1e')
@example(b'[{"a" t')
@example(b'{"a": "x}\n \n')
@example(b'{"a": "x\n')
@example(b'{"a": 1\n \n')
@example(b"[-")
@example(b"[1.5")
@example(b"[1 ")
@example(b"[1.")
@example(b'{"a":1e')
def test_containers_of_all_kinds_come_to_the_lines_of_the_oracle(content):
    check_lines(content)


@given(nestings())
@settings(max_examples=300, deadline=None)
def test_records_in_any_nesting_come_to_the_lines_of_the_oracle(content):
    check_lines(content)


@pytest.mark.slow
@given(containers() | nestings())
@settings(max_examples=5000, deadline=None)
def test_thousands_of_containers_come_to_the_lines_of_the_oracle(content):
    check_lines(content)


@pytest.mark.parametrize("size", range(1, 40))
def test_no_value_is_cut_where_reading_pauses(tmp_path, size, monkeypatch):
    monkeypatch.setattr("healthpipe.ingest.json_splitter.CHUNK", size)
    (tmp_path / "in").write_bytes(
        '[1.5e+10, -0.25, "ä€🏥", {"a": [1.0, true]}, null,1E5 ]'.encode()
    )

    with contextlib.ExitStack() as stack:

        def open_splitter():
            file = stack.enter_context((tmp_path / "in").open("rb"))
            return JsonSplitter(file, tmp_path / "spill")

        _, records = records_in(open_splitter)
        found = [record.value.decode() for record in records]

    assert found == ["1.5e+10", "-0.25", '"ä€🏥"', '{"a": [1.0, true]}', "null", "1E5"]
