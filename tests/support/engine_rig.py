"""The engine under test with its root: what a test runs commands on, whatever the engine."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from healthpipe.choices import EngineName
from healthpipe.storage.layout import Root

if TYPE_CHECKING:
    from tests.local_aws import LocalAws

ENGINES = ("duckdb", "athena", "trino")
BUCKET = "healthpipe-of-tests"
PART = re.compile(r"-\d{5}(?=\.)")
NUMBERS = count(1)


@dataclass
class EngineRig:
    """The engine under test, its root, and a folder for local copies of results.

    `aws` is the local AWS of a remote engine (Athena, Trino); without it the engine is DuckDB and
    the root is `./data`.
    """

    name: str
    folder: Path
    aws: "LocalAws | None" = None
    root: Root = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.root_in(self.folder) if self.is_remote else Root("data")

    @property
    def engine(self) -> EngineName:
        """The engine as commands know it."""
        return EngineName.ATHENA if self.aws else EngineName.DUCKDB

    @property
    def is_remote(self) -> bool:
        """Whether the engine writes results to S3, in parts and in no order."""
        return self.aws is not None

    def root_in(self, folder: Path) -> Root:
        """A new empty root: in the bucket of a remote engine, otherwise in a folder."""
        return Root(f"s3://{BUCKET}/root-{next(NUMBERS)}" if self.is_remote else f"{folder}/root")

    def named_root(self, name: str) -> str:
        """A root whose last part has this name."""
        return f"s3://{BUCKET}/{next(NUMBERS)}/{name}" if self.is_remote else name

    def put(self, name: str, content: bytes) -> None:
        """Write a file of the root."""
        self.root.storage.write(f"{self.root.uri}/{name}", content)

    def local(self, uri: str | Path) -> Path:
        """A local copy of the file at a URI."""
        return self.root.storage.local_copies([str(uri)])[0]

    def kept(self, run_id: str, name: str) -> Path:
        """A local copy of a file in a run's folder: run.json, rejects.parquet, balance.json."""
        return self.local(f"{self.root.run(run_id)}/{name}")

    def names(self, uri: str) -> set[str]:
        """The relative names of the files below a folder."""
        return {file.uri.removeprefix(f"{uri}/") for file in self.root.storage.list(uri)}

    def pointer(self) -> dict[str, Any] | None:
        """The document current.json, None before anything is published."""
        found = self.root.storage.read(self.root.pointer)
        return json.loads(found[0]) if found else None

    def published(self, pointer: dict[str, Any], root: Root | None = None) -> dict[str, Path]:
        """Local copies of the files that a pointer names, by name, with parts joined."""
        uri = (root or self.root).uri
        paths = [file["path"] for file in pointer["files"]]
        return self.joined((path.rpartition("/")[2], f"{uri}/{path}") for path in paths)

    def joined(self, files: Iterable[tuple[str, str]]) -> dict[str, Path]:
        """Local copies of files given as name and URI, by name; parts of a result are joined."""
        found: dict[str, list[str]] = {}
        for name, uri in files:
            found.setdefault(PART.sub("", name), []).append(uri)
        return {name: self._whole(name, parts) for name, parts in found.items()}

    def in_order(self, value: Any) -> Any:
        """A result whose rows are sorted where the engine does not guarantee their order."""
        if not self.is_remote:
            return value
        rows = value.splitlines(keepends=True) if isinstance(value, bytes) else value
        return rows if isinstance(rows, dict) else sorted(rows, key=repr)

    def _whole(self, name: str, uris: Sequence[str]) -> Path:
        local = self.root.storage.local_copies(list(uris))
        if len(local) == 1:
            return local[0]
        target = self._new(name)
        if name.endswith(".parquet"):
            with duckdb.connect() as connection:
                listed = [str(path) for path in local]
                rows = connection.read_parquet(listed)
                rows.write_parquet(str(target))
        else:
            target.write_bytes(b"".join(path.read_bytes() for path in local))
        return target

    def _new(self, name: str) -> Path:
        folder = self.folder / f"{next(NUMBERS)}"
        folder.mkdir(parents=True)
        return folder / name
