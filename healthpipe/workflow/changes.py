"""What a run warns of, and what of it the live run before did not: that alone `--quiet` prints.

The same two rejected lines mailed every morning are ignored by day three; a change must be seen.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from healthpipe.contract import Severity
from healthpipe.errors import HealthpipeError, UsageError
from healthpipe.ingest.manifest import Manifest, SkippedFile, feed_of
from healthpipe.publishing.gates import Level
from healthpipe.runs.record import GateRecord, RunRecord
from healthpipe.runs.run import Run
from healthpipe.stages.rules import Rules
from healthpipe.storage.layout import Root
from healthpipe.workflow.input_reader import MANIFEST

# A count has changed if it differs by this much, and by this share of what it was.
MIN_DIFFERENCE, MIN_PERCENT = 3, 10


@dataclass(frozen=True)
class Changes:
    """The keys to tell, each with its count before (None: it is new); the keys that have ended."""

    told: Mapping[str, int | None]
    ended: Sequence[str]


def changes_of(now: Mapping[str, int], before: Mapping[str, int]) -> Changes:
    """Compare the counts of two runs, by what they count."""
    told = {
        key: before.get(key)
        for key, count in now.items()
        if key not in before or _has_changed(count, before[key])
    }
    return Changes(told, [key for key in before if key not in now])


def _has_changed(now: int, before: int) -> bool:
    difference = abs(now - before)
    return difference >= MIN_DIFFERENCE and difference * 100 >= MIN_PERCENT * before


@dataclass(frozen=True)
class RunWarnings:
    """What a run warns of: counts by reason, skipped files by feed, gates as `raised_gates` does.

    Rejected lines that are all resolved are no warning.
    """

    rejected: Mapping[str, int] = field(default_factory=dict)
    issues: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, Sequence[SkippedFile]] = field(default_factory=dict)
    gates: Mapping[str, GateRecord] = field(default_factory=dict)

    @property
    def skipped_counts(self) -> dict[str, int]:
        """How many files of each feed were skipped."""
        return {feed: len(files) for feed, files in self.skipped.items()}


def record_before(run: Run, record: RunRecord) -> RunRecord | None:
    """The record of the run that was live before; None without one, or where it is gone."""
    if record.compared_with is None:
        return None
    return Run(run.root, record.compared_with).find_record()


def warnings_of(root: Root, record: RunRecord | None) -> RunWarnings:
    """What a run has warned of, also one of an earlier version; nothing if there is no run."""
    if record is None:
        return RunWarnings()
    try:
        rules = Rules.from_json(record.options["rules"])
    except (UsageError, KeyError):  # of another version
        rules = Rules()
    rejecting = rules.of_severity(Severity.REJECT)
    counts = record.issues or {}
    rejected = {reason: count for reason, count in counts.items() if reason in rejecting}
    lines = record.records or {}
    return RunWarnings(
        rejected if lines.get("rejected", 0) > lines.get("resolved", 0) else {},
        {reason: count for reason, count in counts.items() if reason not in rejecting},
        _skipped_by_feed(Run(root, record.run_id)),
        raised_gates(record),
    )


def raised_gates(record: RunRecord | None) -> dict[str, GateRecord]:
    """The gates of a run that warned, failed or were accepted, by what they judged."""
    findings = record.audit.findings if record and record.audit else ()
    return {finding.key: finding for finding in findings if finding.level != Level.OK}


def gate_changes(now: Mapping[str, GateRecord], before: Mapping[str, GateRecord]) -> Changes:
    """Compare the raised gates of a run with what those of the live run warned of."""
    warned = {key: gate.actual for key, gate in before.items() if gate.level == Level.WARN}
    return changes_of({key: gate.actual for key, gate in now.items()}, warned)


def _skipped_by_feed(run: Run) -> dict[str, list[SkippedFile]]:
    """The skipped files in a run's manifest, by feed; none where it cannot be read any more."""
    by_feed: dict[str, list[SkippedFile]] = {}
    with suppress(HealthpipeError, OSError):
        for file in Manifest.from_json(run.read_json(MANIFEST)).skipped:
            if file.source:
                by_feed.setdefault(feed_of(file.source), []).append(file)
    return {feed: sorted(by_feed[feed], key=lambda file: file.uri) for feed in sorted(by_feed)}
