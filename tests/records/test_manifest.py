"""The input manifest: standard input is kept, and files that changed since are noticed."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from healthpipe.aws.session import AwsAccess
from healthpipe.ingest.manifest import Manifest
from tests.support.source_files import RECORD, ingest_sources, write_files


def test_standard_input_is_read_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(RECORD)))
    first, again = ingest_sources(tmp_path, "-"), ingest_sources(tmp_path, "-")
    assert first == again
    assert (first.files[0].source, Path(first.files[0].uri).read_bytes()) == ("-", RECORD)
    assert first.changed_files(AwsAccess()) == []


def test_a_manifest_comes_back_from_its_document_as_it_was(tmp_path):
    write_files(
        tmp_path / "in", "2026-11-20/a.json", "b.json.gz", "c.csv", os.fsdecode(b"\xff.json")
    )
    manifest = ingest_sources(tmp_path, tmp_path / "in")
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
    write_files(tmp_path / "in", "a.json", "b.json")
    os.utime(tmp_path / "in" / "b.json", (1, 1))
    manifest = ingest_sources(tmp_path, tmp_path / "in")
    assert manifest.changed_files(AwsAccess()) == []
    change(tmp_path / "in" / "b.json")
    assert manifest.changed_files(AwsAccess()) == [str(tmp_path / "in" / "b.json")]
