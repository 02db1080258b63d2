"""What the Athena engine needs: a workgroup, a database, and the grants of Lake Formation."""

from typing import Any

from healthpipe.aws.access import AthenaSettings
from healthpipe.aws.errors import failures_told
from healthpipe.aws.session import client
from healthpipe.doctor.asking import DENIED, MISSING, asked
from healthpipe.doctor.checks import Check, Finding, Verdict
from healthpipe.doctor.environment import IDENTITY

# The principal that stands for whoever IAM allows: with it Lake Formation adds no grants.
EVERYBODY = "IAM_ALLOWED_PRINCIPALS"


def athena_checks(settings: AthenaSettings) -> list[Check]:
    """The checks of the settings of Athena."""
    return [
        Check("workgroup", lambda: _workgroup(settings), needs=IDENTITY),
        Check("database", lambda: _database(settings), needs=IDENTITY),
        Check("grants", lambda: _grants(settings), needs=("database",)),
    ]


def _workgroup(settings: AthenaSettings) -> Finding | str:
    from healthpipe.engines.athena.workgroup import is_enforced, is_managed, location, workgroup

    name, known = settings.workgroup, workgroup(settings)
    own = location(known)
    is_other = (own or "").rstrip("/") != settings.output
    overrides = is_managed(known) or (is_enforced(known) and is_other)
    if settings.output and overrides:
        told = f"{name} decides itself where results lie: --athena-output has no effect"
        return Finding("workgroup", Verdict.WARNING, told, "drop --athena-output")
    where = "managed by Athena" if is_managed(known) else settings.output or own
    return f"{name}; results are {where or 'below each run'}"


def _database(settings: AthenaSettings) -> Finding | str:
    glue, name = client("glue", settings.access), settings.database
    where = f"database {name}"
    if asked("glue:GetDatabase", where, lambda: glue.get_database(Name=name)) is None:
        told = f"{name} is not there yet; the first run makes it"
        fix = "allow glue:CreateDatabase, or create it"
        return Finding("database", Verdict.WARNING, told, fix)
    with failures_told("glue:GetTables", where):
        glue.get_tables(DatabaseName=name, MaxResults=1)
    return f"{name} can be read"


def _grants(settings: AthenaSettings) -> Finding | str:
    """Where Lake Formation guards the database, whether it grants anything on it."""
    name = settings.database
    where = f"database {name}"
    principals = asked(
        "lakeformation:ListPermissions", where, lambda: _principals(settings), DENIED | MISSING
    )
    if principals is None:
        told = "Lake Formation does not say who may use the database"
        fix = "allow lakeformation:ListPermissions and GetDataLakeSettings to look, if you use it"
        return Finding("grants", Verdict.WARNING, told, fix)
    if EVERYBODY in principals:
        return "Lake Formation leaves it to IAM"
    if principals:
        return f"Lake Formation grants {len(principals)} principals access to {name}"
    return Finding(
        "grants",
        Verdict.WARNING,
        f"Lake Formation tells of no grants on {name}",
        "if queries are refused, grant the identity CREATE_TABLE, DESCRIBE and SELECT there",
    )


def _principals(settings: AthenaSettings) -> set[str]:
    """Who was granted anything on the database, or is on new tables."""
    lake = client("lakeformation", settings.access)
    resource: Any = {"Database": {"Name": settings.database}}
    granted = lake.list_permissions(ResourceType="DATABASE", Resource=resource)
    defaults = lake.get_data_lake_settings()["DataLakeSettings"]
    on_new = defaults.get("CreateTableDefaultPermissions", [])
    both = (*granted["PrincipalResourcePermissions"], *on_new)
    return {each["Principal"]["DataLakePrincipalIdentifier"] for each in both}
