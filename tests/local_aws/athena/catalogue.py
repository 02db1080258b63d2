"""Statements about the catalog, carried out on moto's Glue whatever runs the queries."""

from tests.local_aws import stored
from tests.local_aws.athena.backend import Column, QueryFailed, Result
from tests.local_aws.athena.statement import Catalogued


def carry_out(statement: Catalogued, database: str) -> Result:
    """Change or list databases and tables. Raises `QueryFailed`."""
    match statement.verb, statement.kind:
        case "SHOW", "SCHEMAS":
            return _listed("database_name", stored.databases())
        case "SHOW", "TABLES":
            name = statement.names[0] if statement.names else database
            return _listed("tab_name", sorted(_database(name).tables))
        case "CREATE", _:
            _create(statement)
        case "DROP", "SCHEMA":
            _drop_database(statement)
        case _:
            _drop_table(statement, database)
    return Result()


def _listed(column: str, names: list[str]) -> Result:
    return Result([Column(column, "string")], [(name,) for name in names])


def _database(name: str):
    found = stored.glue().databases.get(name)
    if found is None:
        raise QueryFailed(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{name}' does not exist", type=1301)
    return found


def _create(statement: Catalogued) -> None:
    (name,) = statement.names[:1]
    if name not in stored.databases():
        stored.glue().create_database(name, {"Name": name})
    elif not statement.is_forgiving:
        raise QueryFailed(
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            f"Database {name} already exists"
        )


def _drop_database(statement: Catalogued) -> None:
    (name,) = statement.names[:1]
    if name in stored.databases():
        stored.glue().delete_database(name)
    elif not statement.is_forgiving:
        raise QueryFailed(
            f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}"
        )


def _drop_table(statement: Catalogued, database: str) -> None:
    *schemas, name = statement.names
    tables = _database(schemas[0] if schemas else database).tables
    if name in tables:
        del tables[name]
    elif not statement.is_forgiving:
        raise QueryFailed(f"FAILED: SemanticException [Error 10001]: Table not found {name}")
