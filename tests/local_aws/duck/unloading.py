"""What UNLOAD writes: several files, in no order among each other, without a suffix as Athena's."""

import gzip
import io
import random
import string
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.local_aws import stored
from tests.local_aws.athena.backend import QueryFailed, Stopping
from tests.local_aws.athena.results import shown
from tests.local_aws.athena.statement import Unload
from tests.local_aws.duck import octets
from tests.local_aws.duck.functions import restored

ROWS_OF_A_FILE = 20_000


def unloaded(found: Any, unload: Unload, stopping: Stopping) -> list[str]:
    """Write a result to an UNLOAD's folder and return the URIs of its files."""
    kind = unload.properties["format"].upper()
    compression = unload.properties.get("compression", "GZIP").upper()
    if kind not in {"PARQUET", "TEXTFILE"}:
        raise QueryFailed(f"NOT_SUPPORTED: this local Athena writes no {kind}")
    write: Callable[[pa.RecordBatch], bytes]
    if kind == "PARQUET":
        write, suffix = lambda batch: _parquet(batch, compression), ""
    else:
        delimiter = unload.properties.get("field_delimiter", "\x01")
        write, suffix = lambda batch: _text(batch, delimiter, compression), _suffix(compression)
    bucket, prefix = stored.split_uri(unload.target)
    uris = []
    for batch in _batches(found, stopping):
        key = f"{prefix}{_name()}{suffix}"
        stored.put(bucket, key, write(batch))
        uris.append(f"s3://{bucket}/{key}")
    return uris


def _batches(found: Any, stopping: Stopping) -> Iterator[pa.RecordBatch]:
    whole = found.to_arrow_table().combine_chunks()
    for batch in whole.to_batches(ROWS_OF_A_FILE):
        stopping.raise_if_asked()
        yield batch


def _name() -> str:
    """A name like Athena's: time, number, five letters, UUID."""
    letters = "".join(random.choices(string.ascii_lowercase + string.digits, k=5))
    return f"{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}_00001_{letters}_{uuid4()}"


def _parquet(batch: pa.RecordBatch, compression: str) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_batches([batch])
    for index, field in enumerate(table.schema):
        if (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)) and pc.any(
            pc.match_substring_regex(table.column(index), octets.PRIVATE)
        ).as_py():
            texts = [restored(text) for text in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(texts, field.type))
    pq.write_table(table, sink, compression=compression)
    return sink.getvalue()


def _text(batch: pa.RecordBatch, delimiter: str, compression: str) -> bytes:
    lines = (
        delimiter.join(r"\N" if value is None else shown(value) for value in row)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    content = b"".join(octets.bytes_of(line) + b"\n" for line in lines)
    if compression == "GZIP":
        return gzip.compress(content, compresslevel=1)
    if compression != "NONE":
        raise QueryFailed(f"NOT_SUPPORTED: this local Athena writes no text in {compression}")
    return content


def _suffix(compression: str) -> str:
    return ".gz" if compression == "GZIP" else ""
