"""The steps that tell people: what expires, what succeeded, what failed."""

from dataclasses import replace
from datetime import date
from typing import Any

from healthpipe.alerts.desk import ExpiringRow
from healthpipe.stages.curate import open_records
from healthpipe.stages.filter_expiring import ACCREDITATIONS
from healthpipe.stages.options import Window
from healthpipe.stages.writing import define_relations
from healthpipe.workflow.announcing import desk_of, record_delivery
from healthpipe.workflow.failures import failure_of, reason_of
from healthpipe.workflow.steps.work import Work


def alert_expiring(work: Work) -> dict[str, Any]:
    """Announce what expires, and what has lapsed since it was announced."""
    work.progress.step("announcing what expires")
    options = work.options
    with_lapsed = replace(options, window=Window(date.min, options.window.end))
    with work.engine() as engine:
        open_records(engine, with_lapsed, work.result("Curate")["segments"])
        define_relations(engine, ACCREDITATIONS, with_lapsed)
        rows = (ExpiringRow(*row) for row in engine.stream(ACCREDITATIONS.query(with_lapsed)))
        delivery = desk_of(work.root, work.request, work.execution).expiring(
            work.run.run_id,
            options.as_of,
            rows,
            include_expired=options.window.start < options.as_of,
        )
    return record_delivery(work.run, "expiring", delivery)


def notify_success(work: Work) -> dict[str, Any]:
    """Tell that the run recovered from a failure; that it succeeded, to those who want to know."""
    facts = work.run.record.details
    delivery = desk_of(work.root, work.request, work.execution).recovered_and_succeeded(
        work.run.run_id,
        {"as_of": work.options.as_of.isoformat(), **facts["records"]},
        wants_success=work.request.notify_success,
    )
    return record_delivery(work.run, "success", delivery)


def notify_failure(work: Work) -> dict[str, Any]:
    """Tell what failed, why, and what to do next."""
    failure = failure_of(work.run, reason_of(work.error))
    delivery = desk_of(work.root, work.request, work.execution).failed(failure)
    return record_delivery(work.run, "failure", delivery)
