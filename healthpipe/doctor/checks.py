"""What a check is, and how it is carried out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from healthpipe.errors import HealthpipeError, translate_os_error


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """What a check found out of `what`, and what to do about it."""

    what: str
    verdict: Verdict
    told: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in documents."""
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """Something to look at. `needs` names checks that it makes no sense without."""

    what: str
    look: Callable[[], CheckResult | str]
    needs: tuple[str, ...] = ()


def run_checks(
    checks: Iterable[Check], begins: Callable[[str], None] = lambda _: None
) -> Iterator[CheckResult]:
    """Carry out checks in their order, each as it is asked for; `begins` is told of each."""
    failed: set[str] = set()
    for check in checks:
        begins(check.what)
        missing = [need for need in check.needs if need in failed]
        if missing:
            finding = CheckResult(
                check.what, Verdict.SKIPPED, f"not looked at without {missing[0]}"
            )
        else:
            finding = _run_check(check)
        if finding.verdict in (Verdict.FAILED, Verdict.SKIPPED):
            failed.add(check.what)
        yield finding


def _run_check(check: Check) -> CheckResult:
    try:
        found = check.look()
    except (HealthpipeError, OSError) as error:
        told = translate_os_error(error)
        message, hint = getattr(told, "message", str(told)), getattr(told, "hint", "")
        return CheckResult(check.what, Verdict.FAILED, message, hint)
    return CheckResult(check.what, Verdict.OK, found) if isinstance(found, str) else found
