"""The messages about runs: failure, recovery, success, test. They hold no values of records.

Those about accreditations are in `expiry`.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from healthpipe.alerts.channels import SUBJECT_CHARACTERS, Message
from healthpipe.alerts.state import FailureRecord, PendingMessage
from healthpipe.storage.layout import Root
from healthpipe.text import escape_control_chars, truncate_text

MAX_VALUE_CHARACTERS = 1_000


@dataclass(frozen=True)
class Failure:
    """A failed run: the step, the error's code, message and hint, and the command to run next."""

    run_id: str
    step: str
    code: str
    message: str
    hint: str
    next_command: str

    @property
    def key(self) -> str:
        """The key of the failure in the state: the same step and code are the same failure."""
        return f"{self.step}/{self.code}"


@dataclass(frozen=True)
class RunSummary:
    """A run that succeeded, with its counts of records by name."""

    run_id: str
    as_of: datetime.date
    records: Mapping[str, int]


def subject(text: str, ending: str = "") -> str:
    """Format a subject as SNS accepts it: one line of at most 99 ASCII characters.

    A text that is too long is cut before `ending`.
    """
    plain = escape_control_chars(text).encode("ascii", errors="replace").decode()
    return truncate_text(plain, SUBJECT_CHARACTERS - len(ending)) + ending


def failure_message(root: str, failure: Failure, since: str | None) -> Message:
    """Format the message of a failed run; `since` is when the same failure occurred first."""
    facts = {
        "root": root,
        "run": failure.run_id,
        "step": failure.step,
        "reason": failure.message,
        "what helps": failure.hint,
        "next": failure.next_command,
        "failing since": since and _format_time(since),
    }
    body = (
        f"A run of healthpipe failed at {escape_control_chars(failure.step)}.\n\n"
        f"{_format_facts(facts)}\n"
        "This failure is not sent again within 24 hours. You are told when a run succeeds.\n"
    )
    return Message(subject(f"healthpipe: run failed at {_step_and_code(failure)}"), body)


def recovery_message(root: Root, run_id: str, failures: Iterable[FailureRecord]) -> Message:
    """Format the message of a run that succeeded after others had failed."""
    lines = [
        f"{escape_control_chars(_step_and_code(failure))}: first at {_format_time(failure.first)},"
        f" last at {_format_time(failure.last)} in run {escape_control_chars(failure.run_id)}"
        for failure in failures
    ]
    facts = {"root": root.absolute_uri, "run": run_id}
    body = (
        f"A run of healthpipe succeeded again.\n\n{_format_facts(facts)}"
        "\nThese failures are over:\n" + "\n".join(lines) + "\n\n"
        "Should one come back within 24 hours of its last alert, that is not sent again;"
        f" `{root.command('status')}` shows it.\n"
    )
    return Message(subject("healthpipe: recovered, a run succeeded"), body)


def success_message(root: str, summary: RunSummary) -> Message:
    """Format the message of a run that succeeded."""
    facts: dict[str, str | int] = {
        "root": root,
        "run": summary.run_id,
        "as_of": summary.as_of.isoformat(),
        **summary.records,
    }
    body = f"A run of healthpipe succeeded.\n\n{_format_facts(facts)}"
    return Message(subject("healthpipe: run succeeded"), body)


def test_message(root: str) -> Message:
    """Format a message that only shows that messages arrive."""
    body = (
        "This is a test. Alerts of healthpipe for this root arrive here.\n\n"
        f"{_format_facts({'root': root})}"
    )
    return Message("healthpipe: test of the alerts", body)


def delayed_message(pending: PendingMessage) -> Message:
    """Format a pending message that is sent late, with the time it was written."""
    note = (
        f"Late: this was written at {_format_time(pending.at)} and could not be sent until now.\n\n"
    )
    return Message(pending.subject, note + pending.body)


def _step_and_code(failure: Failure | FailureRecord) -> str:
    return f"{failure.step} ({failure.code.replace('_', ' ')})"


def _format_time(moment: str) -> str:
    """Format a time in ISO 8601 as `2026-02-15 06:00 UTC`."""
    time = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _format_facts(facts: Mapping[str, str | int | None]) -> str:
    """Format a line for each fact that has a value; long values are cut."""
    return "".join(
        f"{escape_control_chars(name)}:"
        f" {truncate_text(escape_control_chars(_format_value(value)), MAX_VALUE_CHARACTERS)}\n"
        for name, value in facts.items()
        if value is not None and value != ""
    )


def _format_value(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value
