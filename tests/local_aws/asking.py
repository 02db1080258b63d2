"""A user of the local Athena, for tests: tables over files, queries and their rows."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from tests.local_aws.server import LocalAws

BUCKET, DATABASE = "lake", "health"
OUTPUT = f"s3://{BUCKET}/results/"
SYMLINK = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
TEXT = "org.apache.hadoop.mapred.TextInputFormat"
TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
PARQUET_SERDE = {
    "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
}
LINES_SERDE = {
    "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    "Parameters": {
        "field.delim": "\x01",
        "serialization.null.format": "\x01NULL",
        "serialization.last.column.takes.rest": "true",
    },
}
LINES = {"line": "string", "rest": "string"}
NUMBERS = count(1)


class User:
    """Asks an Athena whose bucket and database are there."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.athena, self.s3, self.glue = map(aws.client, ("athena", "s3", "glue"))
        self.s3.create_bucket(Bucket=BUCKET)
        self.glue.create_database(DatabaseInput={"Name": DATABASE})

    def put(self, key: str, body: bytes) -> str:
        """Write an object and return its URI."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def get(self, uri: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=_key(uri))["Body"].read()
        return body

    def below(self, uri: str) -> list[str]:
        """The URIs that begin so."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=_key(uri)).get("Contents", ())
        return [f"s3://{BUCKET}/{item['Key']}" for item in found]

    def table(
        self, columns: Mapping[str, str], serde: Mapping[str, Any], location: str, reader: str
    ) -> str:
        """Make a table; returns its name."""
        name = f"table_{next(NUMBERS)}"
        described = {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": location,
            "InputFormat": reader,
            "OutputFormat": TEXT_OUTPUT,
            "SerdeInfo": serde,
        }
        self.glue.create_table(
            DatabaseName=DATABASE,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE"},
                "StorageDescriptor": described,
            },
        )
        return name

    def listed(
        self, uris: Sequence[str], columns: Mapping[str, str] = LINES, serde: Any = LINES_SERDE
    ) -> str:
        """Make a table of exactly these files, by way of a manifest."""
        folder = f"manifests/{next(NUMBERS)}/"
        self.put(f"{folder}manifest", "".join(f"{uri}\n" for uri in uris).encode())
        return self.table(columns, serde, f"s3://{BUCKET}/{folder}", SYMLINK)

    def lines(self, content: bytes, name: str = "raw/lines.jsonl") -> str:
        """Make a table of the lines of one file."""
        return self.listed([self.put(name, content)])

    def start(self, sql: str, **asked: Any) -> str:
        """Start a query; returns its id."""
        asked.setdefault("ResultConfiguration", {"OutputLocation": OUTPUT})
        asked.setdefault("QueryExecutionContext", {"Database": DATABASE})
        asked.setdefault("ClientRequestToken", uuid4().hex)
        query_id: str = self.athena.start_query_execution(QueryString=sql, **asked)[
            "QueryExecutionId"
        ]
        return query_id

    def run(self, sql: str, **asked: Any) -> dict[str, Any]:
        """Run a query to its end; returns what GetQueryExecution says then."""
        query_id = self.start(sql, **asked)
        self.aws.wait_for(query_id)
        found: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=query_id)
        return found["QueryExecution"]  # type: ignore[no-any-return]

    def failure(self, sql: str) -> str:
        """Why a query fails."""
        status = self.run(sql)["Status"]
        assert status["State"] == "FAILED", status
        return str(status["StateChangeReason"])

    def rows(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows of a small result, without the header."""
        execution = self.run(sql)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        return self.page(execution["QueryExecutionId"])[1:]

    def rows_of_catalog(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows of a statement about the catalog, which have no header."""
        return self.page(self.run(sql)["QueryExecutionId"])

    def page(self, query_id: str, **asked: Any) -> list[tuple[str | None, ...]]:
        """The rows of a page of a result."""
        found = self.athena.get_query_results(QueryExecutionId=query_id, **asked)
        return [
            tuple(item.get("VarCharValue") for item in row["Data"])
            for row in found["ResultSet"]["Rows"]
        ]

    def unload(self, select: str, target: str, **properties: str) -> list[str]:
        """Unload a query into an empty folder; returns the URIs of its files."""
        execution = self.run(unload(select, target, **properties))
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        return self.below(target)


def unload(select: str, target: str, **properties: str) -> str:
    """The statement that unloads a query, as Parquet unless told."""
    told = {"format": "PARQUET", **properties}
    listed = ", ".join(f"{name} = '{value}'" for name, value in told.items())
    return f"UNLOAD ({select}) TO '{target}' WITH ({listed})"


def _key(uri: str) -> str:
    return uri.removeprefix(f"s3://{BUCKET}/")
