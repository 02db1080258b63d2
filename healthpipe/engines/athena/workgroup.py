"""The workgroup of queries, and where Athena keeps their results.

The workgroup, the user or the root says so, in this order: see `result_configuration`.
"""

from typing import TYPE_CHECKING

from healthpipe.aws.errors import ErrorKind, error_kind, translated_errors
from healthpipe.aws.session import AthenaSettings, client
from healthpipe.engines.athena.api import WORKING
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import (
        ResultConfigurationTypeDef,
        WorkGroupConfigurationOutputTypeDef,
    )


def workgroup(settings: AthenaSettings) -> "WorkGroupConfigurationOutputTypeDef":
    """Get the configuration of a workgroup.

    Raises `UsageError` where it can run no queries, and `ServiceFailed`.
    """
    from botocore.exceptions import ClientError

    name = settings.workgroup
    athena = client("athena", settings.access, WORKING)
    with translated_errors("athena:GetWorkGroup", f"workgroup {name}"):
        try:
            group = athena.get_work_group(WorkGroup=name)["WorkGroup"]
        except ClientError as error:
            if error_kind(error) is not ErrorKind.INVALID:
                raise
            raise UsageError(
                f"there is no workgroup {name} in {athena.meta.region_name}",
                "create it, or give another --workgroup",
            ) from error
    if group.get("State") == "DISABLED":
        raise UsageError(
            f"the workgroup {name} is disabled", "enable it, or give another --workgroup"
        )
    configuration = group.get("Configuration", {})
    has_results = has_managed_results(configuration) or output_location(configuration)
    if is_enforced(configuration) and not has_results:
        raise UsageError(
            f"the workgroup {name} enforces its settings and has no place for results",
            "set its query result location, or give another --workgroup",
        )
    return configuration


def has_managed_results(configuration: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether Athena keeps the results itself (managed query results)."""
    return configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)


def is_enforced(configuration: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether a workgroup overrides the settings of queries."""
    return configuration.get("EnforceWorkGroupConfiguration", False)


def output_location(configuration: "WorkGroupConfigurationOutputTypeDef") -> str | None:
    """The s3:// URI where a workgroup has results kept; None if it sets none."""
    return configuration.get("ResultConfiguration", {}).get("OutputLocation")


def result_configuration(
    settings: AthenaSettings, default: str
) -> "ResultConfigurationTypeDef | None":
    """The ResultConfiguration of the workgroup's queries; None where they must not have one.

    A workgroup whose settings are enforced overrides any, one whose results Athena manages refuses
    any. Else it is `settings.output`, the workgroup's location, or the s3:// folder `default`.
    Raises what `workgroup` does.
    """
    configuration = workgroup(settings)
    if (
        has_managed_results(configuration)
        or is_enforced(configuration)
        or (output_location(configuration) and not settings.output)
    ):
        return None
    return _configuration_for(settings, settings.output or default)


def _configuration_for(settings: AthenaSettings, location: str) -> "ResultConfigurationTypeDef":
    result: ResultConfigurationTypeDef = {"OutputLocation": f"{location.rstrip('/')}/"}
    if settings.access.kms_key:
        result["EncryptionConfiguration"] = {
            "EncryptionOption": "SSE_KMS",
            "KmsKey": settings.access.kms_key,
        }
    if settings.access.bucket_owner:
        result["ExpectedBucketOwner"] = settings.access.bucket_owner
    return result
