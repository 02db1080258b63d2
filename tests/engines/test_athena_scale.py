"""Very many files on S3, read where they lie by the Athena engine."""

import csv
from pathlib import Path

import pytest

from tests.conftest import AS_OF
from tests.support.athena_root import BUCKET, ROOT, running_aws, site  # noqa: F401 - fixtures
from tests.support.s3_server import backend

FILES = 10_000


@pytest.mark.slow
def test_a_manifest_of_ten_thousand_files_is_read_whole(cli, site):  # noqa: F811 - the fixture
    for number in range(FILES):
        line = f'{{"facility_id": "F{number:05}", "location": {{"state": "CA"}}}}\n'
        name = f"root/raw/{AS_OF}/{number % 10}/{number:05}.jsonl"
        backend().put_object(BUCKET, name, line.encode())

    call = ("--root", ROOT, "--engine", "athena", "--as-of", AS_OF, "-o", "x.csv", "--json")
    document = cli("extract", *call).document

    assert document["status"] == "succeeded", document
    assert document["input"]["files"] == document["records"]["accepted"] == FILES
    with Path("x.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0] for row in rows] == [f"F{number:05}" for number in range(FILES)]
