"""A ZIP is its JSON files: each an input file of its own, streamed, nothing extracted by name."""

import gzip
import json
import stat
import zipfile
from pathlib import Path

import pytest

from healthpipe.contract import Reason
from tests.conftest import AS_OF
from tests.support.packed_files import zip_of
from tests.support.records import as_line, facility
from tests.support.source_files import RECORD, ingest_sources

FIRST, SECOND = (as_line(facility(f"F{number}", "2026-03-01")) + b"\n" for number in (1, 2))


def write_zip(path: Path, members, **options) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zip_of(members, **options))
    return path


def ingest_zip(tmp_path, members):
    return ingest_sources(tmp_path, write_zip(tmp_path / "a.zip", members))


@pytest.mark.every_engine
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_each_json_file_of_a_zip_is_an_input_file(cli, tmp_path, method):
    members = {
        "deep/er/a.jsonl": FIRST,
        "b.json": b"[" + SECOND + b"]",
        "deep/readme.pdf": b"%PDF-",
        "c.ndjson.gz": gzip.compress(as_line(facility("F3", "2026-03-01"))),
    }
    write_zip(tmp_path / "in" / "a.zip", members, method=method)

    outcome = cli("filter-expiring", "in", "--as-of", AS_OF, "-o", "out.ndjson", "--json")

    assert outcome.code == 0, outcome.err
    lines = Path("out.ndjson").read_bytes().splitlines()
    assert sorted(json.loads(line)["facility_id"] for line in lines) == ["F1", "F2", "F3"]
    assert outcome.document["input"]["files"] == 3
    assert outcome.document["input"]["skipped"] == 1
    assert "a.zip!deep/readme.pdf: not a name that is read" in outcome.err


def test_names_of_members_follow_an_exclamation_mark(tmp_path):
    manifest = ingest_zip(tmp_path, {"deep/a.jsonl": FIRST, "b.json": SECOND})

    assert [file.source for file in manifest.files] == ["a.zip!deep/a.jsonl", "a.zip!b.json"]
    assert manifest.uris == [str(tmp_path / "a.zip")]
    assert manifest.bytes == (tmp_path / "a.zip").stat().st_size


def test_a_folder_in_an_archive_dates_the_snapshot(tmp_path):
    write_zip(
        tmp_path / "2026-01-05" / "a.zip",
        {"x.json": FIRST, "2026-01-04/y.json": SECOND, "deep/x/z.json": SECOND},
    )

    files = ingest_sources(tmp_path, tmp_path / "2026-01-05" / "a.zip").files

    assert [file.folder_date for file in files] == ["2026-01-05", "2026-01-04", "2026-01-05"]


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


OUTSIDE = ["../a.json", "x/../../a.json", "/etc/a.json", "C:/a.json", "..\\a.json", "C:\\a.json"]
HIDDEN = ["__MACOSX/._a.json", "__MACOSX/a.json", ".a.json", "x/_a.json"]


@pytest.mark.parametrize("name", [*OUTSIDE, *HIDDEN, link("link.json")], ids=str)
def test_what_is_not_plainly_a_file_of_the_archive_is_skipped_by_name(tmp_path, name):
    manifest = ingest_zip(tmp_path, {name: b"/etc/passwd", "good.json": FIRST})

    assert [file.source for file in manifest.files] == ["a.zip!good.json"]
    ((skipped),) = manifest.skipped
    text = getattr(name, "filename", name)
    assert skipped.source == f"a.zip!{text}"
    is_hidden = text in HIDDEN
    assert skipped.reason.startswith("not a name" if is_hidden else "a link in an archive")
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "landed"}


def test_two_members_of_one_name_are_both_read(tmp_path):
    with (tmp_path / "a.zip").open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.json", FIRST)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.json", SECOND)

    files = ingest_sources(tmp_path, tmp_path / "a.zip").files

    assert [file.source for file in files] == ["a.zip!a.json", "a.zip!a.json#2"]
    assert [Path(file.landed).read_bytes() for file in files] == [FIRST, SECOND]


def encrypted(content: bytes) -> bytes:
    """The same ZIP with its first member marked as encrypted."""
    local, central = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    changed = bytearray(content)
    changed[local + 6] |= 1
    changed[central + 8] |= 1
    return bytes(changed)


def test_an_encrypted_member_is_one_rejected_file_and_the_others_are_read(tmp_path):
    (tmp_path / "a.zip").write_bytes(encrypted(zip_of({"a.json": FIRST, "b.json": SECOND})))

    locked, other = ingest_sources(tmp_path, tmp_path / "a.zip").files

    assert (locked.refusal, other.refusal) == (Reason.FILE_ENCRYPTED, None)


REFUSED = {
    "without JSON": ({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}, "file_zip"),
    "without a file": ({}, "file_zip"),
    "nothing but links": ({link("a.json"): b"/etc/passwd"}, "file_zip"),
    "a ZIP in it": ({"a.zip": zip_of({"a.json": FIRST})}, "file_zip"),
    "two layers in it": (
        {"a.json.gz": gzip.compress(gzip.compress(FIRST))}, "file_too_large_unpacked",
    ),
    "a tar in it": ({"a.json": b"x".ljust(257, b"\0") + b"ustar"}, "file_not_text"),
    "a CSV in it": ({"a.json": b"facility_id,state\nF1,CA\n"}, "file_csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_zip_that_cannot_be_read_is_one_rejected_file(tmp_path, name):
    members, reason = REFUSED[name]

    assert [file.refusal for file in ingest_zip(tmp_path, members).files] == [reason]


@pytest.mark.every_engine
@pytest.mark.parametrize("name", ["a.zip", "a.json.gz", "a.ndjson.xz"])
def test_a_packed_file_without_a_byte_broke_off(cli, tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).touch()
    (folder / "b.json").write_bytes(FIRST)

    outcome = cli("extract", "in", "--as-of", AS_OF, "--json")

    assert outcome.document["issues"] == {"file_truncated": 1}


def test_a_damaged_member_is_one_rejected_file_and_the_others_are_read(tmp_path):
    content = zip_of({"a.json": FIRST, "b.json": SECOND}, method=zipfile.ZIP_STORED)
    (tmp_path / "a.zip").write_bytes(content.replace(b"F1", b"F9"))

    damaged, other = ingest_sources(tmp_path, tmp_path / "a.zip").files

    assert (damaged.refusal, other.refusal) == (Reason.FILE_TRUNCATED, None)


def test_a_zip_cut_behind_another_one_that_it_holds_is_not_read_as_that(tmp_path):
    inner = zip_of({"inner.json": FIRST})
    outer = zip_of({"inner.zip": inner, "b.json": SECOND}, method=zipfile.ZIP_STORED)
    (tmp_path / "a.zip").write_bytes(outer[: outer.index(inner) + len(inner)])

    (file,) = ingest_sources(tmp_path, tmp_path / "a.zip").files

    assert file.refusal is Reason.FILE_TRUNCATED


EXCEEDED = {
    "members=2": "a.zip: has more than 2 entries; `--unpack-limit members=N`, or members in",
    "bytes=200": "a.zip: unpacks to more than 200 bytes; `--unpack-limit bytes=N`, or bytes in",
}


@pytest.mark.parametrize("limit", EXCEEDED)
def test_an_archive_above_a_limit_is_one_rejected_file(tmp_path, limit, cli):
    write_zip(tmp_path / "a.zip", {f"{number}.json": FIRST for number in range(3)})

    outcome = cli("extract", "a.zip", "--as-of", AS_OF, "--unpack-limit", limit, "--json")

    assert outcome.document["issues"] == {"file_too_large_unpacked": 1}
    assert EXCEEDED[limit] in outcome.err


def test_packings_around_each_other_are_counted_and_the_gate_names_that_limit(tmp_path, cli):
    packed = gzip.compress(gzip.compress(FIRST))
    write_zip(tmp_path / "a.zip", {"a.json.gz": packed, "b.json": SECOND})

    outcome = cli("orchestrate", "a.zip", "--as-of", AS_OF)
    allowed = cli("orchestrate", "a.zip", "--as-of", AS_OF, "--unpack-limit", "layers=3")

    assert (outcome.code, allowed.code) == (3, 0)
    named = "a.zip!a.json.gz: is packed in more than 2 layers; `--unpack-limit layers=N`, or layers"
    assert f"(for example {named}" in outcome.err


def test_the_bytes_of_packed_members_are_counted_together(tmp_path, cli):
    packed = gzip.compress(FIRST + b" " * 1000)
    write_zip(tmp_path / "a.zip", {f"{number}.json.gz": packed for number in range(3)})
    limit = 2 * (len(FIRST) + 1000) + len(packed)

    def refused(bytes_):
        words = ("--as-of", AS_OF, "--unpack-limit", f"bytes={bytes_}", "--json")
        return cli("extract", "a.zip", *words).document["issues"]

    assert refused(limit) == {"file_too_large_unpacked": 1}
    assert refused(3 * (len(FIRST) + 1000)) == {}


@pytest.mark.every_engine
def test_quarantine_finds_the_line_in_the_member(cli, tmp_path):
    write_zip(tmp_path / "a.zip", {"x/a.jsonl": RECORD + b"\n{}\n", "b.jsonl": b"{}\n" + RECORD})
    cli("extract", "a.zip", "--as-of", AS_OF)

    lines = cli("quarantine", "show", "--json").document["lines"]

    assert [(line["source"], line["number"]) for line in lines] == [
        ("a.zip!b.jsonl", 1),
        ("a.zip!x/a.jsonl", 2),
    ]


@pytest.mark.every_engine
def test_an_archive_that_has_not_changed_is_nothing_to_do(cli, rig, tmp_path):
    write_zip(tmp_path / "2026-02-14" / "a.zip", {"2026-02-13/a.jsonl": FIRST, "b.jsonl": SECOND})

    first = cli("orchestrate", "2026-02-14", "--as-of", AS_OF)
    again = cli("orchestrate", "2026-02-14", "--as-of", AS_OF)
    later = cli("orchestrate", "2026-02-14", "--as-of", "2026-02-16", "--json")

    assert first.code == again.code == later.code == 0, first.err
    assert "nothing to do" in again.err
    assert later.document["records"]["accepted"] == 2


def test_a_file_that_is_named_as_a_member_is_read_beside_it(cli, tmp_path):
    write_zip(tmp_path / "in" / "a.zip", {"x.jsonl": FIRST})
    (tmp_path / "in" / "a.zip!x.jsonl").write_bytes(SECOND)

    document = cli("extract", "in", "--as-of", AS_OF, "--json").document

    assert document["records"]["accepted"] == 2
