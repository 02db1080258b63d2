"""Telling people what a run came to, and writing down whether they could be told."""

import datetime
import logging
from typing import Any

from healthpipe.alerts.notifier import AlertDesk, Delivery
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.storage.layout import Root

log = logging.getLogger("healthpipe")


def desk_of(root: Root, request: RunRequest) -> AlertDesk:
    """Who tells what happens in a run, now: a run may be gone on with days after its start."""
    return AlertDesk(root, request.channel(), datetime.datetime.now(datetime.UTC))


def record_delivery(run: Run, about: str, delivery: Delivery) -> dict[str, Any]:
    """Say it if people could not be told, and keep it in the record. Returns what was kept."""
    kept = {"about": about, **delivery.to_json()}
    if delivery.problem:
        log.warning("alert not sent: %s", delivery.problem)
    if run.exists:
        run.change(lambda record: record.details.setdefault("alerts", []).append(kept))
    return kept
