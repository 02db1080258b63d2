"""Where Athena keeps the results of queries: the workgroup, the user or the root says so."""

from typing import TYPE_CHECKING, Any

from healthpipe.aws.access import AthenaSettings
from healthpipe.aws.errors import Kind, failures_told, kind_of
from healthpipe.aws.session import client
from healthpipe.engines.athena.api import WORKING
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import WorkGroupConfigurationOutputTypeDef


def workgroup(settings: AthenaSettings) -> "WorkGroupConfigurationOutputTypeDef":
    """What a workgroup says of its queries. Raises `UsageError` where it can run none, and
    `ServiceFailed`.
    """
    from botocore.exceptions import ClientError

    name = settings.workgroup
    athena = client("athena", settings.access, WORKING)
    with failures_told("athena:GetWorkGroup", f"workgroup {name}"):
        try:
            group = athena.get_work_group(WorkGroup=name)["WorkGroup"]
        except ClientError as error:
            if kind_of(error) is not Kind.INVALID:
                raise
            raise UsageError(
                f"there is no workgroup {name} in {athena.meta.region_name}",
                "create it, or give another --workgroup",
            ) from error
    if group.get("State") == "DISABLED":
        raise UsageError(
            f"the workgroup {name} is disabled", "enable it, or give another --workgroup"
        )
    known = group.get("Configuration", {})
    if is_enforced(known) and not (is_managed(known) or location(known)):
        raise UsageError(
            f"the workgroup {name} enforces its settings and has no place for results",
            "set its query result location, or give another --workgroup",
        )
    return known


def is_managed(known: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether Athena keeps the results itself."""
    return known.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)


def is_enforced(known: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether a workgroup overrides what queries ask for."""
    return known.get("EnforceWorkGroupConfiguration", False)


def location(known: "WorkGroupConfigurationOutputTypeDef") -> str | None:
    """Where a workgroup has results kept, if it says so."""
    return known.get("ResultConfiguration", {}).get("OutputLocation")


def result_place(settings: AthenaSettings, default: str) -> dict[str, Any] | None:
    """The ResultConfiguration of the workgroup's queries; None where it takes none.

    A workgroup whose settings are enforced overrides any, one whose results Athena manages refuses
    any. Else it is `settings.output`, what the workgroup says, or the folder `default` on S3.
    Raises what `workgroup` does.
    """
    known = workgroup(settings)
    if is_managed(known) or is_enforced(known) or (location(known) and not settings.output):
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
