"""What a check is, and how it is carried out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from healthpipe.errors import HealthpipeError, expected


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
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
    look: Callable[[], Finding | str]
    needs: tuple[str, ...] = ()


def carry_out(
    checks: Iterable[Check], begins: Callable[[str], None] = lambda _: None
) -> Iterator[Finding]:
    """Carry out checks in their order, each as it is asked for; `begins` is told of each."""
    failed: set[str] = set()
    for check in checks:
        begins(check.what)
        missing = [need for need in check.needs if need in failed]
        if missing:
            finding = Finding(check.what, Verdict.SKIPPED, f"not looked at without {missing[0]}")
        else:
            finding = _carried_out(check)
        if finding.verdict in (Verdict.FAILED, Verdict.SKIPPED):
            failed.add(check.what)
        yield finding


def _carried_out(check: Check) -> Finding:
    try:
        found = check.look()
    except (HealthpipeError, OSError) as error:
        told = expected(error)
        message, hint = getattr(told, "message", str(told)), getattr(told, "hint", "")
        return Finding(check.what, Verdict.FAILED, message, hint)
    return Finding(check.what, Verdict.OK, found) if isinstance(found, str) else found
