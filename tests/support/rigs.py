"""What a test runs on: an engine, its root, and where things lie on each kind of root."""

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
class Rig:
    """An engine, the root that commands use unless told, and the folder for what is joined here.

    `aws` is the local AWS of an engine that computes there; without it the root is `./data`.
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
        """Whether results are written elsewhere, in parts, in no order."""
        return self.aws is not None

    def root_in(self, folder: Path) -> Root:
        """An empty root: elsewhere if the engine is, otherwise in an empty folder."""
        return Root(f"s3://{BUCKET}/root-{next(NUMBERS)}" if self.is_remote else f"{folder}/root")

    def named_root(self, name: str) -> str:
        """A root whose last part has this name."""
        return f"s3://{BUCKET}/{next(NUMBERS)}/{name}" if self.is_remote else name

    def put(self, name: str, content: bytes) -> None:
        """A file of the root."""
        self.root.storage.write(f"{self.root.uri}/{name}", content)

    def local(self, uri: str | Path) -> Path:
        """A local file with the content of a URI."""
        return self.root.storage.local_copies([str(uri)])[0]

    def kept(self, run_id: str, name: str) -> Path:
        """A local copy of what a run keeps: run.json, rejects.parquet, balance.json."""
        return self.local(f"{self.root.run(run_id)}/{name}")

    def names(self, uri: str) -> set[str]:
        """The files below a folder, by relative name."""
        return {file.uri.removeprefix(f"{uri}/") for file in self.root.storage.list(uri)}

    def pointer(self) -> dict[str, Any] | None:
        """The document of the live run, if there is one."""
        found = self.root.storage.read(self.root.pointer)
        return json.loads(found[0]) if found else None

    def published(self, pointer: dict[str, Any], root: Root | None = None) -> dict[str, Path]:
        """The results that a pointer names, as local files by name."""
        uri = (root or self.root).uri
        paths = [file["path"] for file in pointer["files"]]
        return self.joined((path.rpartition("/")[2], f"{uri}/{path}") for path in paths)

    def joined(self, files: Iterable[tuple[str, str]]) -> dict[str, Path]:
        """Files by name, given with their URIs, as local ones; parts of a result as one file."""
        found: dict[str, list[str]] = {}
        for name, uri in files:
            found.setdefault(PART.sub("", name), []).append(uri)
        return {name: self._whole(name, parts) for name, parts in found.items()}

    def in_order(self, value: Any) -> Any:
        """A result of several rows without the order in which this engine need not give it."""
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
