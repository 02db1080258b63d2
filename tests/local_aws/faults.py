"""What goes wrong on request: calls refused, answers lost, queries failed, hanging or stopped."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tests.local_aws.calls import Call

# Of each service the name that it gives to throttling, with the status.
THROTTLED = {"s3": ("SlowDown", 503), "sns": ("Throttling", 400), "sts": ("Throttling", 400)}
EXPIRED = "ExpiredTokenException"
STARTS_THROTTLED = ("TooManyRequestsException", 400)


@dataclass(frozen=True)
class Failure:
    """An error as a service answers it."""

    code: str
    message: str
    status: int = 400


@dataclass
class CallFault:
    """Befalls the next `times` calls that match; None for every one. Names may be patterns."""

    answer: Callable[[Call], Failure] | None
    service: str = "*"
    action: str = "*"
    bucket: str = "*"
    key: str = "*"
    times: int | None = 1
    is_conditional: bool = False
    # Only what boto3 sends for the first time.
    first_tries: bool = False
    # After the call is carried out: whether the connection is dropped or a 500 is answered.
    lost_by: str | None = None

    def befalls(self, call: Call) -> bool:
        return (
            fnmatchcase(call.service, self.service)
            and fnmatchcase(call.action, self.action)
            and fnmatchcase(call.bucket or "", self.bucket)
            and fnmatchcase(call.key or "", self.key)
            and (call.is_conditional or not self.is_conditional)
            and (call.is_first_try or not self.first_tries)
        )


@dataclass
class QueryFault:
    """Befalls the next `times` queries whose text contains `containing`."""

    kind: str
    containing: str = ""
    times: int | None = 1
    reason: str = ""
    category: int = 1
    retryable: bool = False
    hook: Callable[[], None] | None = None


@dataclass
class Faults:
    """The faults in wait. Each method adds one; counts are used up by what they befall."""

    _calls: list[CallFault] = field(default_factory=list)
    _queries: list[QueryFault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def throttle(
        self, service: str, action: str = "*", times: int | None = 1, *, first_tries: bool = False
    ) -> None:
        """Answer as a service does that is asked too often; with `first_tries` only what boto3
        has not sent before.
        """

        def answer(call: Call) -> Failure:
            code, status = THROTTLED.get(call.service, ("ThrottlingException", 400))
            if call.action == "StartQueryExecution":
                code, status = STARTS_THROTTLED
            return Failure(code, "Rate exceeded", status)

        self._add(CallFault(answer, service, action, times=times, first_tries=first_tries))

    def fail_call(
        self, service: str, action: str, code: str, message: str = "", status: int = 400,
        times: int | None = 1,
    ) -> None:  # fmt: skip
        """Answer with any error."""
        failure = Failure(code, message, status)
        self._add(CallFault(lambda _: failure, service, action, times=times))

    def lose_answer(
        self, service: str, action: str, times: int | None = 1, how: str = "drop", key: str = "*"
    ) -> None:
        """Carry the call out, then drop the connection (`drop`) or answer with a 500 (`error`)."""
        self._add(CallFault(None, service, action, key=key, times=times, lost_by=how))

    def expire_credentials(self, service: str = "*", times: int | None = None) -> None:
        """Refuse the credentials of every call from now on."""

        def answer(call: Call) -> Failure:
            message = "The security token included in the request is expired"
            if call.service in {"sns", "sts"}:
                return Failure("ExpiredToken", message, 403)
            return Failure("ExpiredToken" if call.service == "s3" else EXPIRED, message)

        self._add(CallFault(answer, service, times=times))

    def deny(
        self, service: str, action: str = "*", times: int | None = None, key: str = "*"
    ) -> None:
        """Refuse for want of a permission, naming the action and the resource."""

        def answer(call: Call) -> Failure:
            in_s3 = call.service == "s3"
            message = (
                "User: arn:aws:iam::123456789012:user/tester is not authorized to perform: "
                f"{call.service}:{call.action} on resource: {call.resource}"
            )
            code = "AccessDenied" if in_s3 else "AccessDeniedException"
            if call.service in {"sns", "sts"}:
                return Failure("AuthorizationError", message, 403)
            return Failure(code, message, 403 if in_s3 else 400)

        self._add(CallFault(answer, service, action, key=key, times=times))

    def missing_bucket(self, bucket: str = "*", times: int | None = None) -> None:
        """Answer as though there were no such bucket."""
        failure = Failure("NoSuchBucket", "The specified bucket does not exist", 404)
        self._add(CallFault(lambda _: failure, "s3", bucket=bucket, times=times))

    def refuse_put(self, key: str, times: int | None = 1, status: int = 412) -> None:
        """Answer the next conditional put of a key as though its condition did not hold (412) or
        another were under way (409).
        """
        message = "At least one of the pre-conditions you specified did not hold"
        failure = Failure("PreconditionFailed", message, 412)
        if status == 409:
            failure = Failure("ConditionalRequestConflict", "A conflicting operation occurred", 409)
        self._add(
            CallFault(
                lambda _: failure, "s3", "PutObject", key=key, times=times, is_conditional=True
            )
        )

    def fail_query(
        self, reason: str, containing: str = "", times: int | None = 1, category: int = 1,
        retryable: bool = False,
    ) -> None:  # fmt: skip
        """Have a query end FAILED for this reason."""
        self._add_query(QueryFault("fail", containing, times, reason, category, retryable))

    def hang_query(self, containing: str = "", times: int | None = 1) -> None:
        """Have a query run until it is stopped."""
        self._add_query(QueryFault("hang", containing, times))

    def cancel_query(self, containing: str = "", times: int | None = 1) -> None:
        """Have somebody else stop a query once it runs."""
        self._add_query(QueryFault("cancel", containing, times))

    def while_query_runs(
        self, hook: Callable[[], None], containing: str = "", times: int | None = 1
    ) -> None:
        """Have something happen once a query runs and before it reads."""
        self._add_query(QueryFault("hook", containing, times, hook=hook))

    def clear(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._calls.clear()
            self._queries.clear()

    def answer(self, call: Call) -> Failure | None:
        """The error that a call meets, if any."""
        found = self._take(
            self._calls, lambda fault: fault.answer is not None and fault.befalls(call)
        )
        return found.answer(call) if found else None

    def loss(self, call: Call) -> str | None:
        """How the answer to a call gets lost, if it does."""
        found = self._take(
            self._calls, lambda fault: fault.lost_by is not None and fault.befalls(call)
        )
        return found.lost_by if found else None

    def of_query(self, text: str) -> list[QueryFault]:
        """What befalls a query that begins to run: at most one of each kind."""
        kinds = ("hook", "cancel", "hang", "fail")
        found = (
            self._take(self._queries, lambda f, kind=kind: f.kind == kind and f.containing in text)
            for kind in kinds
        )
        return [fault for fault in found if fault]

    def _add(self, fault: CallFault) -> None:
        with self._lock:
            self._calls.append(fault)

    def _add_query(self, fault: QueryFault) -> None:
        with self._lock:
            self._queries.append(fault)

    def _take(self, faults: list[Any], befalls: Callable[[Any], bool]) -> Any:
        with self._lock:
            fault = next((fault for fault in faults if befalls(fault)), None)
            if fault and fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    faults.remove(fault)
            return fault
