"""Checks of the environment, and running them in order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from healthpipe.errors import HealthpipeError, translate_os_error


class Verdict(StrEnum):
    """The verdict of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """The result of a check, by the check's name: what was found, and how to fix it.

    `cause` is the error that made it fail, if one did.
    """

    check: str
    verdict: Verdict
    finding: str
    fix: str = ""
    cause: Exception | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the result as documents have it."""
        return {
            "what": self.check,
            "verdict": self.verdict,
            "told": self.finding,
            "fix": self.fix,
        }


@dataclass(frozen=True)
class Check:
    """A check: `run` returns its result, or the finding of one that is ok.

    It is skipped if a check that it `needs` has failed; what `run` raises is a failure.
    """

    name: str
    run: Callable[[], CheckResult | str]
    needs: tuple[str, ...] = ()


def run_checks(
    checks: Iterable[Check], on_start: Callable[[str], None] = lambda _: None
) -> Iterator[CheckResult]:
    """Run checks in order, lazily; `on_start` is called with the name of each before it."""
    failed: set[str] = set()
    for check in checks:
        on_start(check.name)
        missing = [need for need in check.needs if need in failed]
        if missing:
            result = CheckResult(check.name, Verdict.SKIPPED, f"not looked at without {missing[0]}")
        else:
            result = _run_check(check)
        if result.verdict in (Verdict.FAILED, Verdict.SKIPPED):
            failed.add(check.name)
        yield result


def _run_check(check: Check) -> CheckResult:
    try:
        result = check.run()
    except (HealthpipeError, OSError) as error:
        expected = translate_os_error(error)
        message = getattr(expected, "message", str(expected))
        hint = getattr(expected, "hint", "")
        return CheckResult(check.name, Verdict.FAILED, message, hint, error)
    return CheckResult(check.name, Verdict.OK, result) if isinstance(result, str) else result
