"""What the Athena engine needs: a workgroup, a database, and the grants of Lake Formation."""

from healthpipe.aws.access import AthenaSettings
from healthpipe.aws.clients import client
from healthpipe.aws.failures import Kind, failures_told, kind_of
from healthpipe.doctor.checks import Check, Finding, Verdict
from healthpipe.doctor.storage import IDENTITY

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
    name = settings.workgroup
    with failures_told("athena:GetWorkGroup", f"workgroup {name}"):
        found = client("athena", settings.access).get_work_group(WorkGroup=name)["WorkGroup"]
    if found.get("State") == "DISABLED":
        fix = "enable it, or give another --workgroup"
        return Finding("workgroup", Verdict.FAILED, f"{name} is disabled", fix)
    configuration = found.get("Configuration", {})
    results = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    managed = configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)
    enforced = configuration.get("EnforceWorkGroupConfiguration", False)
    if settings.output and (managed or (enforced and results != settings.output)):
        told = f"{name} decides itself where results lie: --athena-output has no effect"
        return Finding("workgroup", Verdict.WARNING, told, "drop --athena-output")
    where = "managed by Athena" if managed else results or settings.output or "below each run"
    return f"{name}; results are {where}"


def _database(settings: AthenaSettings) -> Finding | str:
    from botocore.exceptions import ClientError

    glue, name = client("glue", settings.access), settings.database
    with failures_told("glue:GetDatabase", f"database {name}"):
        try:
            glue.get_database(Name=name)
        except ClientError as error:
            if kind_of(error) is not Kind.NOT_FOUND:
                raise
            told = f"{name} is not there yet; the first run makes it"
            fix = "allow glue:CreateDatabase, or create it"
            return Finding("database", Verdict.WARNING, told, fix)
    with failures_told("glue:GetTables", f"database {name}"):
        glue.get_tables(DatabaseName=name, MaxResults=1)
    return f"{name} can be read"


def _grants(settings: AthenaSettings) -> Finding | str:
    """Where Lake Formation guards the database, whether it grants anything on it."""
    lake, name = client("lakeformation", settings.access), settings.database
    with failures_told("lakeformation:ListPermissions", f"database {name}"):
        found = lake.list_permissions(
            ResourceType="DATABASE", Resource={"Database": {"Name": name}}
        )["PrincipalResourcePermissions"]
        defaults = lake.get_data_lake_settings()["DataLakeSettings"]
    principals = {each["Principal"]["DataLakePrincipalIdentifier"] for each in found}
    for_new = defaults.get("CreateTableDefaultPermissions", [])
    principals |= {each["Principal"]["DataLakePrincipalIdentifier"] for each in for_new}
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
