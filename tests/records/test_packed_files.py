"""Packed files are told by their first bytes and read to their end, or rejected whole."""

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings

from healthpipe.aws.session import AwsAccess
from healthpipe.contract import Reason
from healthpipe.ingest import packing
from healthpipe.ingest.content import Content
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing import LandingFolder, land
from healthpipe.ingest.packing import FileRefused, Limits
from healthpipe.ingest.readers import LocalReader, S3Reader
from healthpipe.ingest.sources import find_files
from healthpipe.storage.layout import Root
from tests.conftest import AS_OF
from tests.support.packed_files import CODECS, SUFFIXES, in_members, pack_zip, zip_of
from tests.support.records import as_line, facility
from tests.support.shapes import check_lines, ingest_file
from tests.support.source_files import RECORD, ingest_sources
from tests.support.strategies import packed_files

pytest_plugins = ["tests.support.s3_bucket"]

RECORDS = [facility(f"F{number}") for number in range(5)]
LINES = b"".join(as_line(record) + b"\n" for record in RECORDS)
IDS = [record["facility_id"] for record in RECORDS]
UTF_16 = {"UTF-16 LE": "utf-16-le", "UTF-16 BE": "utf-16-be"}


def as_utf_16(content: bytes, encoding: str) -> bytes:
    return ("\ufeff" + content.decode()).encode(encoding)


FORMS = {
    **{name: pack(LINES) for name, pack in CODECS.items()},
    **{f"{name} of two members": in_members(pack, LINES) for name, pack in CODECS.items()},
    **{f"{name} in gzip": gzip.compress(pack(LINES)) for name, pack in CODECS.items()},
    **{name: as_utf_16(LINES, encoding) for name, encoding in UTF_16.items()},
    "UTF-16 in zstd": CODECS["zstd"](as_utf_16(LINES, "utf-16-le")),
    "zip": pack_zip(LINES),
    "zip in xz": CODECS["xz"](pack_zip(LINES)),
    "gzip in zip": zip_of({"a.jsonl.gz": gzip.compress(LINES)}),
    "an array in bzip2": CODECS["bzip2"](b"[" + LINES.strip().replace(b"\n", b",\n") + b"]"),
}


@pytest.mark.every_engine
@pytest.mark.parametrize("suffix", ["", *SUFFIXES.values()])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_read_by_what_it_is_whatever_its_name(result, tmp_path, form, suffix, rig):
    if rig.is_remote and suffix not in (".gz", ".zst"):
        pytest.skip("the names that matter most")
    (tmp_path / f"in.jsonl{suffix}").write_bytes(FORMS[form])

    found = result("extract", f"in.jsonl{suffix}")

    assert sorted(found.first_column) == IDS
    assert found.records["lines"] == len(IDS)


@pytest.mark.parametrize("name", CODECS)
def test_a_packed_file_that_is_cut_anywhere_is_rejected_whole(tmp_path, name):
    packed = CODECS[name](RECORD + b"\n" + RECORD)

    for end in range(len(packed)):
        file = ingest_file(tmp_path, f"in.jsonl{SUFFIXES[name]}", packed[:end])
        assert (end, file.refusal) == (end, Reason.FILE_TRUNCATED)
        assert Path(file.landed).read_bytes() == b"\x01file_truncated\n"


@pytest.mark.parametrize("name", CODECS)
def test_of_two_members_only_a_cut_between_them_leaves_a_whole_file(tmp_path, name):
    first, second = CODECS[name](RECORD + b"\n"), CODECS[name](RECORD)
    packed = first + second

    whole = [
        end
        for end in range(len(packed))
        if ingest_file(tmp_path, f"in.jsonl{SUFFIXES[name]}", packed[:end]).refusal is None
    ]

    assert whole == [len(first)]


def test_a_zip_that_is_cut_anywhere_is_rejected_whole(tmp_path):
    packed = pack_zip(RECORD)

    for end in range(len(packed)):
        (file,) = ingest_sources(tmp_path, write(tmp_path / "in.zip", packed[:end])).files
        assert (end, file.refusal) == (end, Reason.FILE_TRUNCATED)


def test_utf_16_that_ends_in_half_a_character_is_rejected_whole(tmp_path):
    text = as_utf_16(LINES, "utf-16-le")

    assert ingest_file(tmp_path, "in.jsonl", text[:-1]).refusal is Reason.FILE_TRUNCATED


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("garbage", [b"x", b"\0" * 8 + b"x", b"\x1f\x8b\x08\0"])
def test_what_follows_a_packed_file_is_no_part_of_it_and_damage(tmp_path, name, garbage):
    file = ingest_file(tmp_path, "in.jsonl", CODECS[name](RECORD) + garbage)

    assert file.refusal is Reason.FILE_TRUNCATED


@pytest.mark.parametrize("name", ["gzip", "xz"])
def test_padding_after_a_member_is_no_damage(tmp_path, name):
    pack = CODECS[name]

    file = ingest_file(tmp_path, "in.jsonl", pack(RECORD + b"\n") + b"\0" * 8 + pack(RECORD))

    assert file.landed_lines == 2


@pytest.mark.parametrize("name", CODECS)
def test_a_wrong_byte_anywhere_never_changes_a_record(tmp_path, name):
    packed = CODECS[name](LINES)

    for at in range(len(packed)):
        content = packed[:at] + bytes([packed[at] ^ 0x20]) + packed[at + 1 :]
        file = ingest_file(tmp_path, "in.jsonl", content)
        if file.refusal is None and file.landed and file.compression != "none":
            assert Path(file.landed).read_bytes() == LINES, at


@pytest.mark.parametrize("name", CODECS)
def test_a_packed_file_is_never_held_in_memory(tmp_path, name):
    (tmp_path / "in").write_bytes(CODECS[name]((b"x" * 999 + b"\n") * 60_000))

    tracemalloc.start()
    assert land(Content.of(tmp_path / "in"), tmp_path / "landed" / "0.ndjson") == 60_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 40_000_000


@pytest.mark.parametrize("name", CODECS)
def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_held(tmp_path, name, monkeypatch):
    monkeypatch.setattr(packing, "RATIO_FROM_BYTES", 5_000_000)
    (tmp_path / "in").write_bytes(CODECS[name](b"\0" * 60_000_000))
    limits = Limits(bytes=10_000_000) if name == "gzip" else Limits(ratio=1_000)

    tracemalloc.start()
    with pytest.raises(FileRefused) as refused:
        Content.of(tmp_path / "in", limits).require_whole()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert refused.value.reason is Reason.FILE_TOO_LARGE_UNPACKED
    assert peak < 60_000_000


def test_a_small_file_may_pack_as_well_as_it_likes(tmp_path):
    content = LINES + b"\n" * 4_000_000
    packed = CODECS["zstd"](content)
    assert len(content) > 1_000 * len(packed)

    assert ingest_file(tmp_path, "in.jsonl.zst", packed).landed_lines == len(IDS)


def test_three_layers_are_one_too_many(tmp_path):
    packed = gzip.compress(gzip.compress(gzip.compress(RECORD)))

    assert ingest_file(tmp_path, "a.json.gz", packed).refusal is Reason.FILE_TOO_LARGE_UNPACKED


@pytest.mark.parametrize("how", ["option", "configuration"])
def test_the_limits_can_be_set(cli, tmp_path, how):
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(LINES * 3))
    option = ["--unpack-limit", "bytes=500"] if how == "option" else []
    if not option:
        (tmp_path / "healthpipe.toml").write_text("[unpack]\nbytes = 500\n")

    outcome = cli("extract", "in.jsonl.gz", "--as-of", AS_OF, *option, "--json")

    assert outcome.document["issues"] == {"file_too_large_unpacked": 1}


def test_a_limit_that_is_none_is_refused(cli, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(LINES)

    outcome = cli("extract", "in.jsonl", "--unpack-limit", "bytes=10GB")

    assert outcome.code == 2
    assert "bytes, ratio, layers, members" in outcome.err


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@given(packed_files())
@settings(max_examples=200, deadline=None)
def test_packed_files_of_all_kinds_come_to_the_lines_of_the_oracle(content):
    check_lines(content)


@pytest.mark.parametrize("reader", [LocalReader, S3Reader])
def test_packed_objects_of_s3_are_read_as_files_are(s3_bucket, tmp_path, reader):
    for number, content in enumerate(FORMS.values()):
        s3_bucket.put(f"raw/{number:02}.jsonl.zst", content)
    s3_bucket.put("raw/cut.zip", FORMS["zip"][:-1])
    found = find_files([f"{s3_bucket.uri}/raw"], Root(str(tmp_path)))

    landed = Lander(LandingFolder.local(tmp_path / "landed"), reader(AwsAccess())).ingest(found)

    *files, cut = landed.files
    assert {(file.landed_lines, file.refusal) for file in files} == {(len(IDS), None)}
    assert cut.refusal is Reason.FILE_TRUNCATED
