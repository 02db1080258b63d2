"""A bucket on the local S3, for commands in this process and in others."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.s3_server import REGION, backend

pytest_plugins = ["tests.support.s3_server"]


@dataclass
class Bucket:
    """An empty bucket of the test's own; keys are relative to it.

    `environment` is what a process needs to reach it; none of it is a secret.
    """

    client: Any
    name: str
    environment: dict[str, str]

    @property
    def uri(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes | str = b"") -> str:
        body = content.encode() if isinstance(content, str) else content
        self.client.put_object(Bucket=self.name, Key=key, Body=body)
        return f"{self.uri}/{key}"

    def put_folder(self, folder: Path, prefix: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        return [found["Key"] for page in pages for found in page.get("Contents", [])]


@pytest.fixture
def s3_bucket(s3, monkeypatch):
    """An empty bucket that boto3's usual environment variables lead to."""
    monkeypatch.setenv("AWS_REGION", REGION)
    s3.create_bucket(Bucket="records")
    known = {k: v for k, v in os.environ.items() if k.startswith(("AWS_", "HEALTHPIPE_CACHE"))}
    yield Bucket(s3, "records", known)
    backend().reset()
