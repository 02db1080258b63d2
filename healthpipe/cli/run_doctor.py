"""Looking at everything that a run needs, and telling line by line what was found."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import EngineName
from healthpipe.cli.aws_options import athena_of, root_of
from healthpipe.cli.console import log
from healthpipe.cli.render import print_document, print_table, size_text
from healthpipe.cli.shared import OutputSettings
from healthpipe.doctor.checks import Check, CheckResult, Verdict, run_checks
from healthpipe.errors import DoctorFailed, ProbeFailed, UsageError
from healthpipe.storage.layout import Root

if TYPE_CHECKING:
    from healthpipe.doctor.probe import Observation


@dataclass(frozen=True)
class DoctorTarget:
    """What is looked at: a root, an engine with its settings, the topic of alerts."""

    root: Root
    engine: EngineName
    settings: AthenaSettings
    topic: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "DoctorTarget":
        """What a command was given. Raises `UsageError`."""
        return cls(root_of(given), given["engine"], athena_of(given), given["sns_topic"])

    def require_athena(self) -> None:
        """Refuse a probe of what is not Athena over S3. Raises `UsageError`."""
        if self.engine is not EngineName.ATHENA or not self.root.is_remote:
            raise UsageError(
                "--probe tries out Athena over a root on S3",
                "give --engine athena --root s3://BUCKET/PREFIX",
            )

    def checks(self) -> Iterator[Check]:
        """What to look at, in an order in which one rests on another."""
        from healthpipe.doctor.environment import local_checks

        is_on_s3 = self.root.is_remote
        if not is_on_s3:
            yield from local_checks(self.root, self.engine)
        is_on_athena = self.engine is EngineName.ATHENA
        if is_on_s3 or self.topic or is_on_athena:
            from healthpipe.doctor.environment import identity_checks

            yield from identity_checks(self.root.access, needs_region=is_on_athena)
        if is_on_s3:
            from healthpipe.doctor.environment import storage_checks

            yield from storage_checks(self.root)
        if is_on_athena:
            from healthpipe.doctor.environment import athena_checks

            yield from athena_checks(self.settings)
        if self.topic:
            from healthpipe.doctor.environment import topic_checks

            yield from topic_checks(self.topic, self.root.access)


def examine(patient: DoctorTarget, manner: OutputSettings, *, is_probed: bool) -> None:
    """Print a line for each check, and for each fact that is probed.

    Raises `UsageError`, `DoctorFailed`, `ProbeFailed` and what `probe` raises.
    """
    if is_probed:
        patient.require_athena()
    checks = _checked(patient, manner)
    told: dict[str, Any] = {"checks": checks}
    if is_probed:
        told["probe"] = _probed(patient, manner, checks)
    if manner.json:
        print_document("doctor", told)


def _checked(patient: DoctorTarget, manner: OutputSettings) -> list[dict[str, Any]]:
    """What the checks found. Raises `DoctorFailed`."""
    with manner.session() as progress:
        begins = lambda what: progress.step(f"checking {what}")  # noqa: E731
        findings = list(run_checks(patient.checks(), begins))
    checks = [finding.to_json() for finding in findings]
    if not (manner.json or manner.quiet):
        print_table(("check", "verdict", "what was found"), [_row(each) for each in findings])
    for first in findings:
        if first.verdict is Verdict.FAILED:
            raise DoctorFailed(first.check, first.finding, first.fix, checks)
    return checks


def _probed(
    patient: DoctorTarget, manner: OutputSettings, checks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What the probe found. Raises `ProbeFailed`."""
    from healthpipe.doctor.probe import all_facts, probe

    with manner.session() as progress:
        report = probe(patient.root, patient.settings, all_facts(), progress)
    found = report.to_json()
    if not (manner.json or manner.quiet):
        rows = [_fact_row(each) for each in report.observations]
        print_table(("fact", "verdict", "what was seen"), rows)
    log.info(
        f"{len(report.scanned)} queries scanned {size_text(report.bytes_scanned)}, about"
        f" {report.estimated_usd:.4f} USD; the report is {report.uri}",
        extra={"fields": {"probe": found}},
    )
    if report.unexpected:
        raise ProbeFailed(report.unexpected, report.uri, {"checks": checks, "probe": found})
    return found


def _row(finding: CheckResult) -> tuple[str, str, str]:
    fix = f"; {finding.fix}" if finding.fix else ""
    return finding.check, finding.verdict.value, f"{finding.finding}{fix}"


def _fact_row(observation: "Observation") -> tuple[str, str, str]:
    expected, seen = (_compact(each) for each in (observation.expected, observation.seen))
    told = f"{observation.statement}: expected {expected}, seen {seen}"
    return observation.fact, observation.verdict.value, told


def _compact(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)
