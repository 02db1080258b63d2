"""What a file is that holds no JSON to read: one rejected file with its true reason."""

import codecs
import gzip
import io
import sqlite3
import tarfile

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.conftest import AS_OF
from tests.support.records import as_line, facility
from tests.support.shapes import ingest_file

LINES = b"".join(as_line(facility(f"F{number}")) + b"\n" for number in range(3))
COMMENTED = b"""// exported today
[
  {"facility_id": "F1", /* the first */ "url": "https://x/*y*/"},
  {"facility_id": "F2"}, // the last
]
"""
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 12345\n"


def tar(form: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        info = tarfile.TarInfo("{a}.json")
        info.size = len(LINES)
        archive.addfile(info, io.BytesIO(LINES))
    return packed.getvalue()


def parquet() -> bytes:
    packed = io.BytesIO()
    pa.parquet.write_table(pa.table({"facility_id": ["F1"]}), packed)
    return packed.getvalue()


def sqlite() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table facilities (id)")
        return connection.serialize()


FILES = {
    "a tar": (tar(tarfile.GNU_FORMAT), "file_tar"),
    "a POSIX tar": (tar(tarfile.PAX_FORMAT), "file_tar"),
    "a tar in gzip": (gzip.compress(tar(tarfile.USTAR_FORMAT)), "file_tar"),
    "UTF-32 LE": (codecs.BOM_UTF32_LE + LINES.decode().encode("utf-32-le"), "file_utf32"),
    "UTF-32 BE": (codecs.BOM_UTF32_BE + LINES.decode().encode("utf-32-be"), "file_utf32"),
    "UTF-32 without a mark": (LINES.decode().encode("utf-32-le"), "file_utf32"),
    "UTF-16 without a mark": (LINES.decode().encode("utf-16-be"), "file_utf16"),
    "Parquet": (parquet(), "file_parquet"),
    "SQLite": (sqlite(), "file_sqlite"),
    "CSV": (b"facility_id,facility_name,state\nF1,\"Clinic, the\",CA\n", "file_csv"),
    "CSV with semicolons": (b"\xef\xbb\xbffacility_id;state\r\nF1;CA\r\n", "file_csv"),
    "CSV in UTF-16": ("\ufefffacility_id\tstate\nF1\tCA\n".encode("utf-16-le"), "file_csv"),
    "CSV without a header": (b"17,Clinic,CA\n18,Clinic,TX\n", "file_csv"),
    "a web page": (PAGE, "file_html"),
    "an error of a server": (
        b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "file_xml",
    ),
    "JSON with comments": (COMMENTED, "file_jsonc"),
    "comments within": (COMMENTED.partition(b"\n")[2], "file_jsonc"),
    "comments, then cut": (COMMENTED[:80], "file_jsonc"),
    "Git LFS": (POINTER, "file_git_lfs"),
    "PGP": (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", "file_encrypted"),
    "PDF": (b"%PDF-1.7\n{\n", "file_not_text"),
    "zeros": (b"\0" * 100, "file_not_text"),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_is_rejected_as_that(tmp_path, name, packed):
    content, reason = FILES[name]

    file = ingest_file(tmp_path, "in.json", gzip.compress(content) if packed else content)

    assert file.refusal == reason
    assert file.landed_lines == 1


READ = {
    "text, then a record": b"facility_id,state\n" + LINES,
    "a page, then a record": PAGE + LINES,
    "zeros between records": LINES + b"\0" * 100 + b"\n" + LINES,
    "zeros before records": b"\0\0\0\n" + LINES,
    "comments between lines": b"// today\n" + LINES + b"// the end\n",
    "comments after records": LINES.replace(b"\n", b" // x\n") + LINES,
    "slashes in texts": b'[{"facility_id": "F1", "a": "// x", "b": "/* y */"}]',
    "prose": b"Please find attached, as agreed,\nthe list of May.\n",
    "one word": b"nothing\n",
    "a number": b"12\n",
}


@pytest.mark.parametrize("name", READ)
def test_a_file_that_may_hold_records_is_read_line_by_line(tmp_path, name):
    assert ingest_file(tmp_path, "in.json", READ[name]).refusal is None


@pytest.mark.every_engine
def test_a_refused_file_is_one_rejected_line_with_its_reason(cli, tmp_path):
    kinds = ["a tar in gzip", "UTF-32 LE", "CSV", "a web page", "JSON with comments", "Parquet"]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.jsonl").write_bytes(LINES)
    for number, name in enumerate(kinds):
        (tmp_path / "in" / f"{number}.json").write_bytes(FILES[name][0])

    document = cli("extract", "in", "--as-of", AS_OF, "--json").document

    assert document["records"]["accepted"] == 3
    assert document["issues"] == {FILES[name][1]: 1 for name in kinds}


HELD = {
    "a tar": (tar(tarfile.GNU_FORMAT), 3),
    "a tar in gzip": (gzip.compress(tar(tarfile.GNU_FORMAT)), 3),
    "UTF-32": (codecs.BOM_UTF32_LE + LINES.decode().encode("utf-32-le"), 3),
    "comments": (COMMENTED, 2),
    "CSV": (FILES["CSV"][0], 1),
    "a container that breaks off": (b"[" + LINES.replace(b"\n", b",\n"), 3),
    "a gzip that breaks off": (gzip.compress(LINES * 1000)[:-4], 3000),
}


@pytest.mark.parametrize("name", HELD)
def test_a_rejected_file_counts_with_the_records_that_it_seems_to_hold(tmp_path, name):
    content, records = HELD[name]

    assert ingest_file(tmp_path, "in.json", content).apparent_records == records
