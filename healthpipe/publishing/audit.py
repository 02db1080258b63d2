"""The audit of a run before it is published: how much was rejected, how far it drops.

Rejected lines and files are judged against the run's own input, facilities and states against
those of the live run.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from healthpipe.choices import Format, PublishedStage
from healthpipe.contract import WHOLE_FILE
from healthpipe.errors import GateFailed, ServiceFailed
from healthpipe.publishing.gates import Gates, Threshold
from healthpipe.publishing.pointer import PublishedRun
from healthpipe.stages.curate import Balance, RunCounts
from healthpipe.storage.base import Storage
from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Coverage:
    """How many facilities a run knows, in how many states."""

    facilities: int
    states: int


def coverage_of(storage: Storage, uri: str) -> Coverage:
    """Read what a run covers from its state-counts.json; states without facilities do not count.

    Raises `ServiceFailed` where the file is gone or damaged.
    """
    found = storage.read(uri)
    try:
        document = json.loads(found[0] if found else b"")
        counts = [int(row["facilities"]) for row in document["rows"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ServiceFailed(f"{uri} is gone or damaged", "restore it, or run again") from error
    return Coverage(sum(counts), sum(count > 0 for count in counts))


def live_coverage(
    root: Root, live: PublishedRun | None, *, accept_drop: bool = False
) -> Coverage | None:
    """Read what the live run covers; None where nothing is live.

    Raises `GateFailed` where its counts are gone or damaged; with `accept_drop` returns None.
    """
    for file in live.files if live else ():
        if (file.stage, file.format) == (PublishedStage.STATE_COUNTS, Format.JSON):
            try:
                return coverage_of(root.storage, f"{root.uri}/{file.path}")
            except ServiceFailed as error:
                if accept_drop:
                    return None
                raise GateFailed(
                    f"there is no telling how far the run drops: {error.message}",
                    "restore the file, or run once with --accept-drop",
                ) from error
    return None


class Level(StrEnum):
    """The result of a gate; `accepted` is a failed one that a user has overridden."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    ACCEPTED = "accepted"


class Gate(StrEnum):
    """The gates of an audit."""

    REJECTS = "rejects"
    REJECTED_FILES = "rejected_files"
    ACCEPTED_RECORDS = "accepted_records"
    FACILITIES = "facilities"
    STATES = "states"


LABELS = {
    Gate.REJECTS: "rejected lines",
    Gate.REJECTED_FILES: "files rejected whole",
    Gate.ACCEPTED_RECORDS: "accepted records",
    Gate.FACILITIES: "facilities fewer than live",
    Gate.STATES: "states fewer than live",
}
DROPS = (Gate.FACILITIES, Gate.STATES)


@dataclass(frozen=True)
class GateResult:
    """The result of a gate: `actual` was counted, `limit` is the threshold that decided.

    `limit` is None where there is nothing to compare with. The message has no record's values.
    """

    gate: Gate
    level: Level
    actual: int
    limit: str | None
    message: str


@dataclass(frozen=True)
class Audit:
    """The results of all gates."""

    findings: list[GateResult]

    @property
    def failed(self) -> bool:
        """Whether the run must not be published."""
        return any(finding.level is Level.FAIL for finding in self.findings)

    def of_level(self, level: Level) -> list[GateResult]:
        """The findings of that level."""
        return [finding for finding in self.findings if finding.level is level]

    def to_json(self) -> dict[str, Any]:
        """The audit as a run's record has it."""
        findings = [asdict(finding) for finding in self.findings]
        return {"schema_version": SCHEMA_VERSION, "passed": not self.failed, "findings": findings}

    def require_passed(self, root: Root, run_id: str) -> None:
        """Raise `GateFailed`, which names every gate that failed, for a run of the root."""
        if failed := self.of_level(Level.FAIL):
            steps = dict.fromkeys(_next_step(finding.gate, root, run_id) for finding in failed)
            raise GateFailed(
                f"the run is not fit to be published: {describe_results(failed)}", "; ".join(steps)
            )


def _next_step(gate: Gate, root: Root, run_id: str) -> str:
    if gate in DROPS:
        accept = root.command("runs", "retry", run_id, accept_drop=True)
        return f"if the drop is right, publish it with `{accept}`"
    return f"look at `{root.command('quarantine', 'list', run_id)}`"


def audit(
    gates: Gates,
    balance: Balance,
    rejected_files: int,
    files: int,
    new: Coverage,
    live: Coverage | None,
    *,
    accept_drop: bool,
) -> Audit:
    """Judge a run against its own input and against the live run, if there is one.

    With `accept_drop` a drop that is too large is accepted, and recorded as such.
    """
    pairs: dict[Gate, tuple[int, int | None]] = {
        Gate.FACILITIES: (new.facilities, live.facilities if live else None),
        Gate.STATES: (new.states, live.states if live else None),
    }
    drops = [_judge_drop(gates, gate, *pair, accept=accept_drop) for gate, pair in pairs.items()]
    return Audit([*judge_input(gates, balance, rejected_files, files), *drops])


def judge_input(
    gates: Gates, balance: Balance, rejected_files: int, files: int
) -> list[GateResult]:
    """Judge the input alone. Rejected lines that a replay has repaired do not count."""
    rejects = balance.rejected - balance.resolved
    none_left = "fewer than" if balance.accepted == 0 else "at least"
    return [
        _judge(Gate.REJECTS, rejects, balance.lines, gates.max_rejects, gates.warn_rejects),
        _judge(
            Gate.REJECTED_FILES,
            rejected_files,
            files,
            gates.max_rejected_files,
            gates.warn_rejected_files,
        ),
        GateResult(
            Gate.ACCEPTED_RECORDS,
            Level.OK if balance.accepted else Level.FAIL,
            balance.accepted,
            "1",
            f"{LABELS[Gate.ACCEPTED_RECORDS]} {balance.accepted:,}, {none_left} 1",
        ),
    ]


def describe_input_failures(counts: RunCounts, files: int) -> str:
    """Describe, in one line, the gates about the input that fail by default; empty if none does."""
    rejected_files = count_rejected_files(counts.issues)
    results = judge_input(Gates.choose(), counts.balance, rejected_files, files)
    return describe_results(Audit(results).of_level(Level.FAIL))


def describe_results(findings: Iterable[GateResult]) -> str:
    """The messages of results, in one line."""
    return "; ".join(finding.message for finding in findings)


def count_rejected_files(issues: Mapping[str, int]) -> int:
    """Count the files that were rejected whole, from the counts of a run's issues.

    Each is one line with one reason, and no option can move or switch off a rule that rejects.
    """
    return sum(issues.get(reason, 0) for reason in WHOLE_FILE)


def _judge(
    gate: Gate, actual: int, of: int, maximum: Threshold, warning: Threshold | None
) -> GateResult:
    level, limit = Level.OK, maximum
    if not maximum.allows(actual, of):
        level = Level.FAIL
    elif warning and not warning.allows(actual, of):
        level, limit = Level.WARN, warning
    relation = "within" if level is Level.OK else "more than"
    message = f"{LABELS[gate]} {actual:,} of {of:,}, {relation} {limit}"
    return GateResult(gate, level, actual, str(limit), message)


def _judge_drop(
    gates: Gates, gate: Gate, new: int, live: int | None, *, accept: bool
) -> GateResult:
    if live is None:
        return GateResult(gate, Level.OK, 0, None, f"{LABELS[gate]} 0, there is nothing to compare")
    found = _judge(gate, max(0, live - new), live, gates.max_drop, gates.warn_drop)
    if accept and found.level is Level.FAIL:
        message = f"{found.message}, accepted"
        return GateResult(gate, Level.ACCEPTED, found.actual, found.limit, message)
    return found
