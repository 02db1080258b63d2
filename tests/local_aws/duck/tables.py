"""The tables of the Glue catalog: which files they have, and what kind of files."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.local_aws import stored
from tests.local_aws.athena.backend import QueryFailed
from tests.local_aws.stored import StoredObject

SYMLINK = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
LINES_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


@dataclass(frozen=True)
class Table:
    """A table: its columns with Hive's types, its files, and its SerDe's properties."""

    columns: dict[str, str]
    files: list[StoredObject]
    is_parquet: bool
    properties: dict[str, str]


def table(database: str, name: str) -> Table:
    """A table of the catalog with the files it has now. Raises `QueryFailed`."""
    found = stored.table(database.lower(), name.lower())
    if found is None:
        raise QueryFailed(
            f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{database}.{name}' does not exist",
            type=1301,
        )
    storage: dict[str, Any] = found["StorageDescriptor"]
    serde: dict[str, Any] = storage.get("SerdeInfo", {})
    library = serde.get("SerializationLibrary")
    if library not in {PARQUET_SERDE, LINES_SERDE} or found.get("PartitionKeys"):
        raise QueryFailed(f"NOT_SUPPORTED: this local Athena reads no table of {library}")
    columns = {column["Name"].lower(): column["Type"] for column in storage["Columns"]}
    location = storage["Location"].rstrip("/") + "/"
    is_symlink = storage.get("InputFormat") == SYMLINK
    files = list(_listed(location) if is_symlink else _visible(location))
    return Table(columns, files, library == PARQUET_SERDE, serde.get("Parameters", {}))


def duck_type(hive: str) -> str:
    """DuckDB's name of a type of Hive."""
    hive = hive.strip().lower()
    word, _, rest = hive.partition("<")
    inner = rest[:-1]
    match word:
        case "array":
            return f"{duck_type(inner)}[]"
        case "map":
            key, value = _split(inner)
            return f"MAP({duck_type(key)}, {duck_type(value)})"
        case "struct":
            pairs = (field.partition(":") for field in _split(inner))
            fields = ", ".join(f'"{name.strip()}" {duck_type(kind)}' for name, _, kind in pairs)
            return f"STRUCT({fields})"
    if word.startswith(("decimal", "varchar", "char")):
        return word.replace("varchar", "VARCHAR").upper()
    return {"string": "VARCHAR", "int": "INTEGER", "binary": "BLOB"}.get(word, word.upper())


def _visible(location: str) -> Iterator[StoredObject]:
    for item in stored.below(location):
        parts = item.uri.removeprefix(location).split("/")
        if item.size and not any(part.startswith((".", "_")) for part in parts):
            yield item


def _listed(location: str) -> Iterator[StoredObject]:
    for manifest in _visible(location):
        for uri in stored.content(manifest.uri).decode().splitlines():
            item = _found(uri.strip())
            if item.size:
                yield item


def _found(uri: str) -> StoredObject:
    folder, _, name = uri.rpartition("/")
    if not name:
        raise QueryFailed(f"HIVE_UNKNOWN_ERROR: File location cannot end with '/': {uri}")
    if not stored.has_bucket(stored.split_uri(uri)[0]):
        raise QueryFailed(f"HIVE_FILESYSTEM_ERROR: Failed to list directory: {folder}", category=1)
    item = stored.found(uri)
    if item is None or name.startswith((".", "_")):
        raise QueryFailed(
            f"HIVE_FILE_NOT_FOUND: Manifest file from the location [{folder}] contains "
            f"non-existent path: {uri}"
        )
    return item


def _split(inner: str) -> list[str]:
    """The fields of a type, at the commas outside its own brackets."""
    fields, depth, start = [], 0, 0
    for index, character in enumerate(inner):
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            fields.append(inner[start:index])
            start = index + 1
    return [*fields, inner[start:]]
