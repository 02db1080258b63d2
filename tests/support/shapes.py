"""Files of every shape, with the lines that each comes to."""

import base64
import tempfile
from pathlib import Path

from healthpipe.aws.session import AwsAccess
from healthpipe.ingest.formats import Shape
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing import LandingFolder
from healthpipe.ingest.manifest import InputFile
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.sources import find_files
from healthpipe.storage.layout import Root
from tests.support.container_oracle import lines_of, split_lines

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
        [b"1", b'"x]"', b"null", b"1", b'{"a": 2}', b"-0.0", b"true", b"{}"],
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
    "a record with nothing but labs is no wrapper": (
        b'{"labs": [{}]}', Shape.LINES, [b'{"labs": [{}]}'],
    ),
    "an empty wrapper": (b'{"data": [], "n": 0}', Shape.WRAPPER, []),
    "two empty lists are no wrapper": (
        b'{"data": [], "errors": []}', Shape.LINES, [b'{"data": [], "errors": []}'],
    ),
    "a list of lists is no list of objects": (
        b'{"data": [[{}]]}', Shape.LINES, [b'{"data": [[{}]]}'],
    ),
    "an array of scalars holds no records": (b'[1, "{"]', Shape.LINES, [b'[1, "{"]']),
    "arrays of nothing": (b"[[], [[]]]", Shape.ARRAY, []),
    "arrays in an array": (
        b"[[" + ONE + b"], [[" + TWO + b",\n" + PRETTY + b"], []]]",
        Shape.ARRAY,
        [ONE, TWO, PRETTY_LINE],
    ),
    "arrays glued together": (
        b"[" + ONE + b"][" + TWO + b"] [ ]", Shape.ARRAY, [ONE, TWO],
    ),
    "pretty pages": (
        b'{\n "data": [\n' + PRETTY + b'\n],\n "page": 1\n}\n{\n "data": [' + ONE + b"]}\n",
        Shape.OBJECTS,
        [PRETTY_LINE, ONE],
    ),
    "an array of pages": (
        b'[{"data": [' + ONE + b']}, {"n": 0, "data": []}, {"data": [{"more": [' + TWO + b"]}]}]",
        Shape.ARRAY,
        [ONE, TWO],
    ),
    "a page above a pretty one": (
        b"[]\n[\n" + PRETTY + b"\n]\n", Shape.ARRAY, [PRETTY_LINE],
    ),
    "pages on a line each": (
        b'{"data": [' + ONE + b']}\n{"data": [' + TWO + b"," + ONE + b"]}\n",
        Shape.OBJECTS,
        [ONE, TWO, ONE],
    ),
    "arrays and records on a line each": (
        b"[" + ONE + b"]\n" + TWO + b"\n[]\n[" + ONE + b"]\n", Shape.ARRAY, [ONE, TWO, ONE],
    ),
    "pages on lines, the last one cut": (
        b'{"data": [' + ONE + b']}\n{"data": [' + TWO,
        Shape.LINES,
        [ONE, b'{"data": [' + TWO],
    ),
    "empty": (b"", Shape.LINES, []),
    "blank": (b" \t\r\n\n", Shape.LINES, []),
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


def ingest_file(folder: Path, name: str, content: bytes, *, is_landed: bool = False) -> InputFile:
    """Ingest a file of this content; returns its entry in the manifest.

    One that `is_landed` is rewritten in any case, as files are in which curate finds a line that
    holds several records.
    """
    (folder / name).write_bytes(content)
    found = find_files([str(folder / name)], Root(str(folder / "root")))
    lander = Lander(LandingFolder.local(folder / "landed"), LocalReader(AwsAccess()))
    manifest = lander.ingest(found)
    if is_landed and manifest.files[0].landed is None:
        manifest = lander.land(manifest, [manifest.files[0].uri])
    return manifest.files[0]


def landed_lines(file: InputFile, content: bytes) -> list[bytes] | str | None:
    """The lines that an engine is given; None for a container that breaks off, else the reason."""
    if file.landed is None:
        return split_lines(content)  # as the engines do
    lines = []
    for line in Path(file.landed).read_bytes().split(b"\n")[:-1]:
        encoded, aside, reason = line.partition(b"\x01")
        if reason.startswith(b"file_"):
            return None if reason == b"file_not_json" else reason.decode()
        lines.append(base64.b64decode(encoded) if aside else line)
    assert len(lines) == file.landed_lines
    return lines


def check_lines(content: bytes) -> None:
    """Compare the lines that ingest makes of a file with the oracle's."""
    with tempfile.TemporaryDirectory() as folder:
        file = ingest_file(Path(folder), "in.json", content, is_landed=True)
        found = landed_lines(file, content)
    assert ("file_not_json" if found is None else found) == lines_of(content)
