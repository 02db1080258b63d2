"""Workgroups, and where the results of their queries go."""

from dataclasses import dataclass
from typing import Any

from tests.local_aws.front import Refused

INVALID = "InvalidRequestException"
NO_LOCATION = (
    "No output location provided. An output location is required either through the Workgroup "
    "result configuration setting or as an API input."
)


@dataclass(frozen=True)
class Placement:
    """Where the results of a query go: to a folder, or to Athena's own keeping."""

    output: str | None
    is_managed: bool


class Workgroups:
    """The workgroups by name; `primary` is there from the start, without a location."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Any]] = {}
        self.reset()

    def reset(self) -> None:
        """Back to `primary` alone."""
        self._held.clear()
        free = {"EnforceWorkGroupConfiguration": False}
        self._held["primary"] = {"Name": "primary", "State": "ENABLED", "Configuration": free}

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["Name"]
        if name in self._held:
            raise Refused(INVALID, f"WorkGroup {name} is already created")
        # Athena enforces what a workgroup says unless it is told not to.
        configuration = {"EnforceWorkGroupConfiguration": True} | asked.get("Configuration", {})
        if _is_managed(configuration) and _location(configuration):
            raise Refused(
                INVALID,
                "ManagedQueryResultsConfiguration cannot be enabled with an output location",
            )
        self._held[name] = {"Name": name, "State": "ENABLED", "Configuration": configuration}
        return {}

    def delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["WorkGroup"] == "primary":
            raise Refused(INVALID, "WorkGroup primary cannot be deleted")
        self._get(asked["WorkGroup"])
        del self._held[asked["WorkGroup"]]
        return {}

    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        held = self._get(asked["WorkGroup"])
        engine = {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        }
        return {
            "WorkGroup": {
                **held,
                "Configuration": {"EngineVersion": engine} | held["Configuration"],
            }
        }

    def list(self, _: dict[str, Any]) -> dict[str, Any]:
        held = [{"Name": name, "State": group["State"]} for name, group in self._held.items()]
        return {"WorkGroups": held}

    def placement(self, workgroup: str, asked: dict[str, Any]) -> Placement:
        """Where the results of a query go that a client started with `call_or_none` as its
        ResultConfiguration. Raises `Refused`.
        """
        configuration = self._get(workgroup)["Configuration"]
        wanted, own = asked.get("OutputLocation"), _location(configuration)
        if _is_managed(configuration):
            if wanted:
                raise Refused(
                    INVALID,
                    "ResultConfiguration cannot be set for a query in a WorkGroup with "
                    "ManagedQueryResultsConfiguration enabled",
                )
            return Placement(None, True)
        enforced = configuration["EnforceWorkGroupConfiguration"]
        output = own if enforced and own else wanted or own
        if not output:
            raise Refused(INVALID, NO_LOCATION)
        if not output.startswith("s3://") or not output.removeprefix("s3://").strip("/"):
            raise Refused(INVALID, f"outputLocation is not a valid S3 path. {output}")
        return Placement(output.rstrip("/") + "/", False)

    def _get(self, name: str) -> dict[str, Any]:
        if name not in self._held:
            raise Refused(INVALID, f"WorkGroup {name} is not found.")
        return self._held[name]


def _location(configuration: dict[str, Any]) -> str | None:
    location: str | None = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    return location


def _is_managed(configuration: dict[str, Any]) -> bool:
    return bool(configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled"))
