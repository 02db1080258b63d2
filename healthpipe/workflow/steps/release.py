"""Audit: the whole run is judged before anything of it is published."""

import logging
from typing import Any

from healthpipe.cancellation import raise_if_stopping
from healthpipe.choices import Format
from healthpipe.errors import GateFailed
from healthpipe.publishing.audit import Level, count_rejected_files
from healthpipe.publishing.audit import audit as audit_run
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.attempts import Attempt
from healthpipe.stages.balance import Balance
from healthpipe.stages.coverage import coverage_of, live_coverage
from healthpipe.stages.curate import BALANCE
from healthpipe.stages.history import newest_generation
from healthpipe.workflow.steps.context import Work

log = logging.getLogger("healthpipe")


def audit(work: Work) -> dict[str, Any]:
    """Judge the run by its gates, against the live run as it is now; note which that was.

    Raises `GateFailed`.
    """
    live = read_live(work.root)
    earlier = Attempt.last(work.run, "Publish")
    if earlier and live.document and earlier.notes.get("nonce") == live.document["nonce"]:
        # Published already, and killed before that was noted.
        return dict(work.attempt.notes["seen"])
    if not live.document and newest_generation(work.root) and not work.request.accept_drop:
        raise GateFailed(
            f"{work.root.pointer} is gone, though runs were published: there is nothing to compare",
            "see that it is mounted, restore it from state/history, or run once with --accept-drop",
        )
    work.progress.step("judging the run")
    curated = work.result("Curate")
    (counts,) = (
        file["uri"]
        for file in work.result("StateCounts")["files"]
        if file["format"] == Format.JSON.value
    )
    found = audit_run(
        work.request.chosen_gates(),
        Balance(**work.run.read_json(BALANCE)["all"]),
        count_rejected_files(curated["issues"]),
        curated["input"]["files"],
        coverage_of(work.root.storage, counts),
        live_coverage(work.root, live.document, accept_drop=work.request.accept_drop),
        accept_drop=work.request.accept_drop,
    )
    raise_if_stopping()  # what was given up has no say in the record
    work.run.note(audit=found.to_json())
    for finding in found.findings:
        if finding.level in (Level.WARN, Level.ACCEPTED):
            log.warning(finding.message)
    found.require_passed()
    seen = {"live": live.document, "etag": live.etag}
    work.attempt.note(seen=seen)
    return seen
