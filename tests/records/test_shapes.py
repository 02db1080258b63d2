"""Files of every shape come to the lines that the contract says, whatever is wrong with them."""

import base64
import gzip
import io
import json
import tempfile
import tracemalloc
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings

from healthpipe.aws.session import AwsAccess
from healthpipe.ingest.content import Content
from healthpipe.ingest.formats import Shape, records_in
from healthpipe.ingest.json_splitter import JsonSplitter
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing import LandingFolder, land_container
from healthpipe.ingest.manifest import InputFile
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.sources import find_files
from healthpipe.storage.layout import Root
from tests.conftest import AS_OF
from tests.support.container_oracle import lines_of
from tests.support.odd_values import BROKEN_LINES
from tests.support.strategies import containers

BOM = b"\xef\xbb\xbf"
ONE = b'{"facility_id": "1", "rate": 0.10, "big": 12345678901234567890, "z": 1, "a": 1e3}'
TWO = b'{"facility_id":"2","text":"a  b, [{}] \\" \\u00e9"}'
PRETTY = b'{\n    "facility_id": "3",\r\n    "services": [\n      "a",\r"b"\n\n    ]\n  }'
PRETTY_LINE = b'{"facility_id": "3","services": ["a","b"]}'

SHAPES = {
    "lines": (ONE + b"\n" + TWO + b"\n", Shape.LINES, [ONE, TWO]),
    "lines CR LF": (ONE + b"\r\n" + TWO + b"\r\n", Shape.LINES, [ONE, TWO]),
    "lines CR": (ONE + b"\r" + TWO, Shape.LINES, [ONE, TWO]),
    "one line": (ONE, Shape.LINES, [ONE]),
    "array": (b"[" + ONE + b", " + TWO + b"]", Shape.ARRAY, [ONE, TWO]),
    "array by lines": (b"[\n" + ONE + b",\n" + TWO + b"\n]\n", Shape.ARRAY, [ONE, TWO]),
    "pretty array": (
        b"[\n  " + PRETTY + b" ,\n  " + TWO + b"\n]\n", Shape.ARRAY, [PRETTY_LINE, TWO],
    ),
    "empty array": (b"[ ]\n", Shape.ARRAY, []),
    "array of anything": (
        b'[1, "x]", null, [1, {"a": 2}], -0.0, true, {}]',
        Shape.ARRAY,
        [b"1", b'"x]"', b"null", b'[1, {"a": 2}]', b"-0.0", b"true", b"{}"],
    ),
    "pretty object": (PRETTY, Shape.OBJECT, [PRETTY_LINE]),
    "objects": (ONE + TWO + b" " + ONE, Shape.OBJECTS, [ONE, TWO, ONE]),
    "pretty objects": (PRETTY + b"\n" + PRETTY, Shape.OBJECTS, [PRETTY_LINE, PRETTY_LINE]),
    "wrapper": (
        b'{"count": 2, "sample_data": [' + ONE + b"," + TWO + b"]}", Shape.WRAPPER, [ONE, TWO],
    ),
    "pretty wrapper": (
        b'{\n "at": {"list": [{}]},\n "empty": [],\n "data": [\n' + PRETTY + b'\n],\n "n": 1\n}',
        Shape.WRAPPER,
        [PRETTY_LINE],
    ),
    "two lists are no wrapper": (
        b'{"a": [{}], "b": [{}]}', Shape.LINES, [b'{"a": [{}], "b": [{}]}'],
    ),
    "a record with one list is no wrapper": (
        b'{"facility_id": "1", "labs": [{}]}',
        Shape.LINES,
        [b'{"facility_id": "1", "labs": [{}]}'],
    ),
    "an empty list is no wrapper": (b'{"data": []}', Shape.LINES, [b'{"data": []}']),
    "an object above lines": (b'{"data": [{}]}\n' + ONE, Shape.LINES, [b'{"data": [{}]}', ONE]),
    "empty": (b"", Shape.LINES, []),
    "blank": (b" \t\r\n\n", Shape.LINES, []),
    "zeros": (b"\0" * 100, Shape.LINES, [b"\0" * 100]),
    "a bad line first": (
        b'{"facility_id": "1"\n' + ONE, Shape.LINES, [b'{"facility_id": "1"', ONE],
    ),
    "a list above lines": (b"[1]\n" + ONE, Shape.LINES, [b"[1]", ONE]),
    "an array with a comma too few": (
        b"[\n" + ONE + b"\n" + TWO + b"\n]", Shape.LINES, [b"[", ONE, TWO, b"]"],
    ),
    "an array with a comma too many": (b"[" + ONE + b",]", Shape.LINES, [b"[" + ONE + b",]"]),
    "NaN in an array": (b'[{"a": NaN}]', Shape.LINES, [b'[{"a": NaN}]']),
    "a raw line end in a string": (b'[{"a": "x\ny"}]', Shape.LINES, [b'[{"a": "x', b'y"}]']),
    "not UTF-8 in an array": (b'[{"a": "\xff"}]', Shape.LINES, [b'[{"a": "\xff"}]']),
    "an array that never closes": (b"[\n" + ONE + b",\n" + TWO, Shape.BROKEN, None),
    "an array cut in a record": (b"[" + ONE + b', {"facil', Shape.BROKEN, None),
    "an array cut in a character": (b'[{"a": "\xc3', Shape.BROKEN, None),
    "an object cut": (PRETTY[:-10], Shape.BROKEN, None),
    "a wrapper cut": (b'{"data": [' + ONE + b"],", Shape.BROKEN, None),
}  # fmt: skip


def take_in(folder: Path, name: str, content: bytes) -> InputFile:
    (folder / name).write_bytes(content)
    found = find_files([str(folder / name)], Root(str(folder / "root")))
    return (
        Lander(LandingFolder.here(folder / "landed"), LocalReader(AwsAccess()))
        .take_in(found)
        .files[0]
    )


def landed_lines(file: InputFile, content: bytes) -> list[bytes] | None:
    """The lines that an engine is given; None for a file rejected whole."""
    if file.landed is None:
        content = content.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return [line for line in content.split(b"\n") if line.strip(b" \t")]
    lines = []
    for line in Path(file.landed).read_bytes().split(b"\n")[:-1]:
        encoded, aside, reason = line.partition(b"\x01")
        if reason == b"file_not_json":
            return None
        lines.append(base64.b64decode(encoded) if aside else line)
    return lines


@pytest.mark.parametrize("mark", [b"", BOM], ids=["", "BOM"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_file_of_a_shape_comes_to_its_lines(tmp_path, name, packed, mark):
    content, shape, lines = SHAPES[name]
    stored = gzip.compress(mark + content) if packed else mark + content

    file = take_in(tmp_path, "in.json.gz" if packed else "in.json", stored)

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


def test_a_rewritten_record_keeps_its_numbers_and_the_order_of_its_keys(cli, tmp_path):
    record = b'{"z": 0.10, "a": 12345678901234567890, "m": -0.0, "e": 1E+2, "facility_id": "1",\n'
    record += b'  "accreditations": [{"valid_until": "2026-02-20"}]}'
    (tmp_path / "in.json").write_bytes(b"[" + record + b"]")

    out = cli("filter-expiring", "in.json", "--as-of", AS_OF, "-q", "-o", "-").out

    assert out.encode() == record.replace(b"\n  ", b"") + b"\n"


def test_a_file_rejected_whole_is_one_line_and_the_run_goes_on(cli, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b"[" + ONE + b"," + TWO)
    (tmp_path / "in" / "b.json").write_bytes(TWO)

    document = cli("extract", "in", "--json").document

    assert document["records"]["lines"] == 2
    assert (document["records"]["accepted"], document["records"]["rejected"]) == (1, 1)
    run = tmp_path / "data" / "runs" / document["run_id"]
    with duckdb.connect() as connection:
        rejects = connection.execute(f"from '{run}/rejects.parquet'").fetchall()
    assert rejects == [("a.json", ["file_not_json"], None, None)]


LARGE = b'{"facility_id": "L", "pad": ["' + b'x", "' * 2_000_000 + b'"]}'
VERY_LARGE = b'{"facility_id": "L", "pad": ["' + b'x", "' * 4_000_000 + b'"]}'
DEEP = b"[" * 5000 + b"]" * 5000


@pytest.mark.parametrize("large", [LARGE, VERY_LARGE], ids=["held", "followed"])
def test_a_record_too_large_is_kept_beside_the_others(tmp_path, large):
    file = take_in(tmp_path, "in.json", b"[" + ONE + b",\n" + large + b",\n" + TWO + b"]")

    lines = Path(file.landed).read_bytes().splitlines()
    assert [lines[0], lines[2]] == [ONE, TWO]
    kept, _, reason = lines[1].partition(b"\x01")
    assert reason == b"too_large"
    assert (tmp_path / kept.decode()).read_bytes() == large


@pytest.mark.parametrize(
    "value",
    [
        DEEP, b"1" * 9000, b'{"a":' + b"1" * 9000 + b"}", b"1e99999999999999999999",
        b'{"a":' * 3000 + b"-1e-99999999999999999999" + b"}" * 3000,
        b'{"a":' * 3000 + b"7" * 9000 + b"}" * 3000,
    ],
    ids=["deep", "digits", "digits in a record", "exponent", "deep exponent", "deep digits"],
)  # fmt: skip
def test_values_that_parsers_break_on_are_lines_like_others(tmp_path, value):
    content = b"[\n" + value + b",\n" + ONE + b"]"

    file = take_in(tmp_path, "in.json", content)

    assert landed_lines(file, content) == [value, ONE]


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


def test_an_array_is_streamed_in_constant_memory(tmp_path):
    tracemalloc.start()
    _, records = records_in(lambda: JsonSplitter(Endless(100_000), tmp_path / "spill"))
    assert sum(record == PRETTY_LINE.decode() for record in records) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 20_000_000


def check_lines(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = landed_lines(take_in(Path(folder), "in.json", content), content)
    assert ("file_not_json" if found is None else found) == lines_of(content)


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


@pytest.mark.slow
@given(containers())
@settings(max_examples=2500, deadline=None)
def test_thousands_of_containers_come_to_the_lines_of_the_oracle(content):
    check_lines(content)


@pytest.mark.parametrize("size", range(1, 40))
def test_no_value_is_cut_where_reading_pauses(tmp_path, size, monkeypatch):
    monkeypatch.setattr("healthpipe.ingest.json_splitter.CHUNK", size)
    (tmp_path / "in").write_bytes(
        '[1.5e+10, -0.25, "ä€🏥", {"a": [1.0, true]}, null,1E5 ]'.encode()
    )

    with (tmp_path / "in").open("rb") as file:
        _, records = records_in(lambda: JsonSplitter(file, tmp_path / "spill"))
        found = list(records)

    assert found == ["1.5e+10", "-0.25", '"ä€🏥"', '{"a": [1.0, true]}', "null", "1E5"]


@pytest.mark.parametrize("line", BROKEN_LINES)
def test_a_broken_line_above_others_is_a_line(line):
    check_lines(line + b"\n" + ONE)
