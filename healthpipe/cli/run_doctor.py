"""Looking at everything that a run needs, and telling line by line what was found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from healthpipe.aws.access import AthenaSettings
from healthpipe.cli.aws_options import athena_of, root_of
from healthpipe.cli.shared import Manner
from healthpipe.cli.views import print_document, print_table
from healthpipe.doctor.checks import Check, Finding, Verdict, carry_out
from healthpipe.errors import DoctorFailed
from healthpipe.storage.layout import Root
from healthpipe.words import EngineName


@dataclass(frozen=True)
class Patient:
    """What is looked at: a root, an engine with its settings, the topic of alerts."""

    root: Root
    engine: EngineName
    settings: AthenaSettings
    topic: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Patient":
        """What a command was given. Raises `UsageError`."""
        return cls(root_of(given), given["engine"], athena_of(given), given["sns_topic"])

    def checks(self) -> Iterator[Check]:
        """What to look at, in an order in which one rests on another."""
        from healthpipe.doctor.local import local_checks

        is_on_s3 = self.root.uri.startswith("s3://")
        if not is_on_s3:
            yield from local_checks(self.root)
        if is_on_s3 or self.topic or self.engine is EngineName.ATHENA:
            from healthpipe.doctor.storage import identity_checks

            yield from identity_checks(self.root.access)
        if is_on_s3:
            from healthpipe.doctor.storage import storage_checks

            yield from storage_checks(self.root)
        if self.engine is EngineName.ATHENA:
            from healthpipe.doctor.athena import athena_checks

            yield from athena_checks(self.settings)
        if self.topic:
            from healthpipe.doctor.topic import topic_checks

            yield from topic_checks(self.topic, self.root.access)


def examine(patient: Patient, manner: Manner) -> None:
    """Print a line for each check. Raises `DoctorFailed`."""
    manner.start_logging()
    findings = list(carry_out(list(patient.checks())))
    checks = [finding.to_json() for finding in findings]
    if not (manner.json or manner.quiet):
        print_table(("check", "verdict", "what was found"), [_row(each) for each in findings])
    for first in findings:
        if first.verdict is Verdict.FAILED:
            raise DoctorFailed(first.what, first.told, first.fix, checks)
    if manner.json:
        print_document("doctor", {"checks": checks})


def _row(finding: Finding) -> tuple[str, str, str]:
    fix = f": {finding.fix}" if finding.fix else ""
    return finding.what, finding.verdict.value, f"{finding.told}{fix}"
