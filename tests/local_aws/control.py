"""What is asked of a local AWS itself, over HTTP.

`POST /_faults` with `{"fault": "throttle", "service": "athena", ...}` adds a fault: the name and
the parameters of a method of `Faults`; `while_query_runs` takes `put: {bucket, key, body}` in
place of a hook. `DELETE /_faults`, `POST /_reset`, `GET /_calls`, `GET /_queries`.
"""

from typing import TYPE_CHECKING, Any

from tests.local_aws import stored

if TYPE_CHECKING:
    from tests.local_aws.server import LocalAws

FAULTS = (
    "throttle", "fail_call", "lose_answer", "expire_credentials", "deny", "missing_bucket",
    "refuse_put", "fail_query", "hang_query", "cancel_query", "while_query_runs",
)  # fmt: skip


def control(aws: "LocalAws", path: str, method: str, asked: dict[str, Any]) -> Any:
    """Carry out a request below `/_`. Raises ValueError, LookupError or TypeError if it is none."""
    match method, path:
        case "POST", "/_faults":
            return _add_fault(aws, dict(asked))
        case "DELETE", "/_faults":
            aws.faults.clear()
            return {}
        case "POST", "/_reset":
            aws.reset()
            return {}
        case "GET", "/_calls":
            named = ("service", "action", "bucket", "key", "at")
            return [{name: getattr(call, name) for name in named} for call in aws.calls]
        case "GET", "/_queries":
            return {"running": aws.running_queries(), "all": aws.queries()}
    raise ValueError(f"{method} {path} is not known here")


def _add_fault(aws: "LocalAws", asked: dict[str, Any]) -> dict[str, Any]:
    name = asked.pop("fault", None)
    if name not in FAULTS:
        raise ValueError(f"fault has to be one of {', '.join(FAULTS)}")
    put = asked.pop("put", None)
    if put:
        asked["hook"] = lambda: stored.put(put["bucket"], put["key"], put["body"].encode())
    getattr(aws.faults, name)(**asked)
    return {}
