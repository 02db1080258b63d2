"""The words of all alerts but those about accreditations. No values of records are in them."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from healthpipe.alerts.channels import SUBJECT_CHARACTERS, Message
from healthpipe.alerts.state import FailureRecord, Pending
from healthpipe.visible import clipped, visible

TEXT_CHARACTERS = 1_000


@dataclass(frozen=True)
class Failure:
    """Why a run failed, at which step, and the command that goes on from there."""

    run_id: str
    step: str
    code: str
    message: str
    hint: str
    next_command: str

    @property
    def key(self) -> str:
        """Its kind: the same step failing with the same code is the same failure."""
        return f"{self.step}/{self.code}"


def subject(text: str, ending: str = "") -> str:
    """A subject as SNS takes it: one line of less than 100 ASCII characters, `ending` whole."""
    plain = visible(text).encode("ascii", errors="replace").decode()
    return clipped(plain, SUBJECT_CHARACTERS - len(ending)) + ending


def failed(place: str, failure: Failure, since: str | None) -> Message:
    """A run failed; `since` is when the same failure was met first, if it was met before."""
    facts = {
        "root": place,
        "run": failure.run_id,
        "step": failure.step,
        "reason": failure.message,
        "what helps": failure.hint,
        "next": failure.next_command,
        "failing since": since and _time(since),
    }
    body = (
        f"A run of healthpipe failed at {visible(failure.step)}.\n\n{_facts(facts)}\n"
        "This failure is not sent again within 24 hours. You are told when a run succeeds.\n"
    )
    return Message(subject(f"healthpipe: run failed at {_kind(failure)}"), body)


def recovered(place: str, run_id: str, failures: Iterable[FailureRecord]) -> Message:
    """A run succeeded after others had failed."""
    over = [
        f"{visible(_kind(failure))}: first at {_time(failure.first)}, last at"
        f" {_time(failure.last)} in run {visible(failure.run_id)}"
        for failure in failures
    ]
    body = (
        f"A run of healthpipe succeeded again.\n\n{_facts({'root': place, 'run': run_id})}\n"
        "These failures are over:\n" + "\n".join(over) + "\n\n"
        "Should one come back within 24 hours of its last alert, that is not sent again;"
        " `healthpipe status` shows it.\n"
    )
    return Message(subject("healthpipe: recovered, a run succeeded"), body)


def succeeded(place: str, run_id: str, facts: Mapping[str, Any]) -> Message:
    """A run succeeded, with facts about it such as counts."""
    told = _facts({"root": place, "run": run_id, **facts})
    return Message(
        subject("healthpipe: run succeeded"), f"A run of healthpipe succeeded.\n\n{told}"
    )


def test(place: str) -> Message:
    """A message that only shows that messages arrive."""
    body = (
        "This is a test. Alerts of healthpipe for this root arrive here.\n\n"
        f"{_facts({'root': place})}"
    )
    return Message("healthpipe: test of the alerts", body)


def late(pending: Pending) -> Message:
    """A message that no channel took when it was written."""
    note = f"Late: this was written at {_time(pending.at)} and could not be sent until now.\n\n"
    return Message(pending.subject, note + pending.body)


def _kind(failure: Failure | FailureRecord) -> str:
    return f"{failure.step} ({failure.code.replace('_', ' ')})"


def _time(moment: str) -> str:
    time = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _facts(facts: Mapping[str, Any]) -> str:
    """A line for each fact that there is."""
    return "".join(
        f"{visible(str(name))}: {clipped(visible(_told(value)), TEXT_CHARACTERS)}\n"
        for name, value in facts.items()
        if value not in (None, "")
    )


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
