"""The audit of a run before it is published: all gates, and what its verdict says.

Rejected lines and files are judged here against the run's own input, facilities and states against
those of the live run; `meaning` and `drops` judge the figures of its feeds.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from healthpipe.choices import DROP_GATES, Format, Gate, PublishedStage
from healthpipe.contract import WHOLE_FILE
from healthpipe.errors import GateFailed, ServiceFailed
from healthpipe.ingest.manifest import Manifest
from healthpipe.publishing.drops import judge_age, judge_changes, judge_drops
from healthpipe.publishing.gates import Bounds, GateResult, Gates, Level, RawGates
from healthpipe.publishing.meaning import Comparison, judge_fields, judge_issues
from healthpipe.publishing.pointer import PublishedRun
from healthpipe.stages.curate import Balance, RunCounts
from healthpipe.stages.rules import Rules
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


LABELS = {
    Gate.REJECTS: "rejected lines",
    Gate.REJECTED_FILES: "files rejected whole",
    Gate.ACCEPTED_RECORDS: "accepted records",
    Gate.FACILITIES: "facilities fewer than live",
    Gate.STATES: "states fewer than live",
}
# The gates that the rejected lines explain.
ABOUT_REJECTS = (Gate.REJECTS, Gate.REJECTED_FILES, Gate.ACCEPTED_RECORDS)
# A message about more failures than these is no longer one that is read.
SHOWN_FAILURES = 4
NO_RECORD = "the files hold no record"


@dataclass(frozen=True)
class Audit:
    """The results of all gates, those first that tell the cause of what others find."""

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
            shown, more = describe_results(failed[:SHOWN_FAILURES]), len(failed) - SHOWN_FAILURES
            rest = f"; and {more:,} more, see `{root.command('runs', 'show', run_id)}`"
            raise GateFailed(
                f"the run is not fit to be published: {shown}{rest if more > 0 else ''}",
                "; ".join(_next_steps(failed, root, run_id)),
            )


def _next_steps(results: Sequence[GateResult], root: Root, run_id: str) -> Iterator[str]:
    """What to do about the gates that failed, each command once."""
    failed = [result.gate for result in results]
    if any(result.message == NO_RECORD for result in results):
        yield "look at what was delivered, then run again"
    elif any(gate in ABOUT_REJECTS for gate in failed):
        yield f"look at `{root.command('quarantine', 'list', run_id)}`"
    acceptable = [gate for gate in dict.fromkeys(failed) if gate not in ABOUT_REJECTS]
    if acceptable:
        accept = root.command(
            "runs",
            "retry",
            run_id,
            accept=[gate for gate in acceptable if gate not in DROP_GATES],
            accept_drop=any(gate in DROP_GATES for gate in acceptable),
        )
        yield f"if the data is right, publish it with `{accept}`"


@dataclass(frozen=True)
class RunFacts:
    """What a run read and covers: `rejected_files` of its `files` were rejected whole."""

    balance: Balance
    rejected_files: int
    files: int
    coverage: Coverage


def audit(
    gates: Gates,
    rules: Rules,
    facts: RunFacts,
    live: Coverage | None,
    comparison: Comparison,
    accepted: Collection[Gate] = (),
) -> Audit:
    """Judge a run against its own input and against the live run, if there is one.

    A gate that fails and is one of the `accepted` is recorded as such.
    """
    results = [
        *judge_input(gates, facts.balance, facts.rejected_files, facts.files),
        *judge_fields(comparison),
        *judge_issues(comparison, gates, rules),
        *_judge_coverage(facts.coverage, live, gates),
        *judge_drops(comparison, gates),
        *judge_changes(comparison),
        *judge_age(comparison, gates),
    ]
    return Audit([_accept(result) if result.gate in accepted else result for result in results])


def judge_input(
    gates: Gates, balance: Balance, rejected_files: int, files: int
) -> list[GateResult]:
    """Judge the input alone. Rejected lines that a replay has repaired do not count."""
    rejects = balance.rejected - balance.resolved
    none_left = "fewer than" if balance.accepted == 0 else "at least"
    return [
        _judge(Gate.REJECTS, rejects, balance.lines, gates.rejects),
        _judge(Gate.REJECTED_FILES, rejected_files, files, gates.rejected_files),
        GateResult(
            Gate.ACCEPTED_RECORDS,
            Level.OK if balance.accepted else Level.FAIL,
            balance.accepted,
            "1",
            f"{LABELS[Gate.ACCEPTED_RECORDS]} {balance.accepted:,}, {none_left} 1"
            if balance.lines
            else NO_RECORD,
        ),
    ]


def describe_input_failures(counts: RunCounts, manifest: Manifest) -> str:
    """Describe, in one line, the gates about the input that fail by default; empty if none does."""
    rejected_files, files = count_rejected_files(counts.issues), len(manifest.files)
    balance = counts.balance.with_unseen(manifest.unseen_records)
    results = judge_input(RawGates().checked(), balance, rejected_files, files)
    return describe_results(Audit(results).of_level(Level.FAIL))


def describe_results(findings: Iterable[GateResult]) -> str:
    """The messages of results, in one line."""
    return "; ".join(finding.message for finding in findings)


def count_rejected_files(issues: Mapping[str, int]) -> int:
    """Count the files that were rejected whole, from the counts of a run's issues.

    Each is one line with one reason, and no option can move or switch off a rule that rejects.
    """
    return sum(issues.get(reason, 0) for reason in WHOLE_FILE)


def _judge(gate: Gate, actual: int, of: int, bounds: Bounds) -> GateResult:
    level, limit = bounds.judge(actual, of)
    relation = "within" if level is Level.OK else "more than"
    message = f"{LABELS[gate]} {actual:,} of {of:,}, {relation} {limit}"
    return GateResult(gate, level, actual, str(limit), message)


def _judge_coverage(new: Coverage, live: Coverage | None, gates: Gates) -> list[GateResult]:
    """Judge how many facilities and states fewer there are than live."""
    counts = asdict(new)
    if live is None:
        return [
            GateResult(gate, Level.OK, 0, None, f"{LABELS[gate]} 0, there is nothing to compare")
            for gate in map(Gate, counts)
        ]
    return [
        _judge(Gate(name), max(0, before - counts[name]), before, gates.drop)
        for name, before in asdict(live).items()
    ]


def _accept(result: GateResult) -> GateResult:
    """The result of a gate whose failure a user has overridden."""
    if result.level is not Level.FAIL:
        return result
    return replace(result, level=Level.ACCEPTED, message=f"{result.message}, accepted")
