"""Where Athena keeps the results of queries: the workgroup, the user or the root says so."""

from typing import Any

from healthpipe.aws.access import AthenaSettings
from healthpipe.aws.clients import client
from healthpipe.aws.failures import failures_told
from healthpipe.engines.athena.calls import WORKING
from healthpipe.errors import UsageError


def result_place(settings: AthenaSettings, default: str) -> dict[str, Any] | None:
    """The ResultConfiguration of the workgroup's queries; None where it takes none.

    A workgroup whose settings are enforced overrides any, one whose results Athena manages refuses
    any. Else it is `settings.output`, what the workgroup says, or the folder `default` on S3.
    Raises `UsageError` or `ServiceFailed`.
    """
    name = settings.workgroup
    with failures_told("athena:GetWorkGroup", f"workgroup {name}"):
        athena = client("athena", settings.access, WORKING)
        group = athena.get_work_group(WorkGroup=name)["WorkGroup"]
    if group.get("State") == "DISABLED":
        raise UsageError(f"the workgroup {name} is disabled", "enable it, or give --workgroup")
    known = group.get("Configuration", {})
    location = known.get("ResultConfiguration", {}).get("OutputLocation")
    if known.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
        return None
    if known.get("EnforceWorkGroupConfiguration"):
        if not location:
            raise UsageError(
                f"the workgroup {name} enforces its settings and has no place for results",
                "set its query result location, or give another --workgroup",
            )
        return None
    if location and not settings.output:
        return None
    return _configuration(settings, settings.output or default)


def _configuration(settings: AthenaSettings, location: str) -> dict[str, Any]:
    place: dict[str, Any] = {"OutputLocation": f"{location.rstrip('/')}/"}
    if settings.access.kms_key:
        place["EncryptionConfiguration"] = {
            "EncryptionOption": "SSE_KMS",
            "KmsKey": settings.access.kms_key,
        }
    if settings.access.bucket_owner:
        place["ExpectedBucketOwner"] = settings.access.bucket_owner
    return place
