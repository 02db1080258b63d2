"""The command that checks whether everything is there that a run needs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from healthpipe.choices import EngineName
from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import (
    AthenaOptions,
    AwsOptions,
    EngineOptions,
    MessageOptions,
    RootOptions,
    TopicOptions,
)
from healthpipe.cli.render import print_document, print_table, size_text
from healthpipe.cli.signature import expand_options, one_call_option
from healthpipe.errors import (
    DoctorFailed,
    DoctorFoundDamage,
    ProbeFailed,
    PublishedDamaged,
    UsageError,
)

if TYPE_CHECKING:
    from healthpipe.aws.session import AthenaSettings
    from healthpipe.doctor.checks import Check, CheckResult
    from healthpipe.doctor.probe import Observation
    from healthpipe.storage.layout import Root

ProbeOption = Annotated[
    bool,
    one_call_option(
        "--probe", help="Also try out on Athena, with tiny queries, what the engine rests on."
    ),
]


@expand_options
def doctor(
    context: typer.Context,
    *,
    probe: ProbeOption = False,
    root: RootOptions,
    engine: EngineOptions,
    topic: TopicOptions,
    aws: AwsOptions,
    athena: AthenaOptions,
    messages: MessageOptions,
) -> None:
    """Look whether everything is there that a run needs, and say how to repair what is not.

    For example: healthpipe doctor --root s3://bucket/prefix --engine athena
    """
    target = DoctorTarget(root.open(aws), engine.engine, athena.settings(aws), topic.sns_topic)
    examine(target, messages.apply(), is_probed=probe)


@dataclass(frozen=True)
class DoctorTarget:
    """What is checked: a root, an engine with its settings, the topic of alerts."""

    root: "Root"
    engine: EngineName
    athena: "AthenaSettings"
    topic: str | None

    def require_athena(self) -> None:
        """Refuse a probe of what is not Athena over S3. Raises `UsageError`."""
        if self.engine is not EngineName.ATHENA or not self.root.is_remote:
            raise UsageError(
                "--probe tries out Athena over a root on S3",
                "give --engine athena --root s3://BUCKET/PREFIX",
            )

    def checks(self) -> Iterator["Check"]:
        """Yield the checks, each after those that it rests on."""
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

            yield from athena_checks(self.athena)
        if self.topic:
            from healthpipe.doctor.environment import topic_checks

            yield from topic_checks(self.topic, self.root.access)
        from healthpipe.doctor.environment import published_checks

        yield from published_checks(self.root)


def examine(target: DoctorTarget, settings: OutputSettings, *, is_probed: bool) -> None:
    """Run the checks, and the probe if it is wanted; print a line for each.

    Raises `UsageError`, `DoctorFailed`, `ProbeFailed` and what `probe` raises.
    """
    if is_probed:
        target.require_athena()
    checks = _run_checks(target, settings)
    document: dict[str, Any] = {"checks": checks}
    if is_probed:
        document["probe"] = _run_probe(target, settings, checks)
    if settings.json:
        print_document("doctor", document)


def _run_checks(target: DoctorTarget, settings: OutputSettings) -> list[dict[str, Any]]:
    """Run the checks and print their results.

    Raises `DoctorFailed`; `DoctorFoundDamage` where nothing has failed but what is live.
    """
    from healthpipe.doctor.checks import Verdict, run_checks

    with settings.session() as progress:
        begins = lambda what: progress.step(f"checking {what}")  # noqa: E731
        results = list(run_checks(target.checks(), begins))
    checks = [result.to_json() for result in results]
    if not (settings.json or settings.quiet):
        print_table(("check", "verdict", "what was found"), [_row(each) for each in results])
    for first in results:
        if first.verdict is Verdict.FAILED:
            is_damage = isinstance(first.cause, PublishedDamaged)
            kind = DoctorFoundDamage if is_damage else DoctorFailed
            raise kind(first.check, first.finding, first.fix, checks)
    return checks


def _run_probe(
    target: DoctorTarget, settings: OutputSettings, checks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Probe Athena and print the observations. Raises `ProbeFailed`."""
    from healthpipe.doctor.probe import all_facts, probe

    with settings.session() as progress:
        report = probe(target.root, target.athena, all_facts(), progress)
    document = report.to_json()
    if not (settings.json or settings.quiet):
        rows = [_fact_row(each) for each in report.observations]
        print_table(("fact", "verdict", "what was seen"), rows)
    log.info(
        f"{len(report.scanned)} queries scanned {size_text(report.bytes_scanned)}, about"
        f" {report.estimated_usd:.4f} USD; the report is {report.uri}",
        extra={"fields": {"probe": document}},
    )
    if report.unexpected:
        raise ProbeFailed(report.unexpected, report.uri, {"checks": checks, "probe": document})
    return document


def _row(result: "CheckResult") -> tuple[str, str, str]:
    fix = f"; {result.fix}" if result.fix else ""
    return result.check, result.verdict.value, f"{result.finding}{fix}"


def _fact_row(observation: "Observation") -> tuple[str, str, str]:
    expected, seen = (_json_text(each) for each in (observation.expected, observation.seen))
    text = f"{observation.statement}: expected {expected}, seen {seen}"
    return observation.fact, observation.verdict.value, text


def _json_text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)
