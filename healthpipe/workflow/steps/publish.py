"""Publish: copies in production, and the pointer that makes them the live ones."""

import uuid
from typing import Any

from healthpipe.cancellation import raise_if_stopping
from healthpipe.choices import EngineName
from healthpipe.publishing.pointer import Live
from healthpipe.publishing.publish import Publication
from healthpipe.publishing.publish import publish as publish_outputs
from healthpipe.workflow.steps.context import Work
from healthpipe.workflow.tables import let_tables_follow

STAGES = ("Extract", "FilterExpiring", "StateCounts")


def publish(work: Work) -> dict[str, Any]:
    """Publish the outputs in place of what Audit saw live. Raises `PublishConflict`."""
    work.progress.step("publishing")
    seen = work.result("Audit")
    outputs = [file for step in STAGES for file in work.result(step)["files"]]
    options = work.options
    publication = Publication(
        work.run.run_id, options.as_of.isoformat(), options.to_json(), outputs
    )
    nonce = work.attempt.notes.get("nonce") or uuid.uuid4().hex
    work.attempt.note(nonce=nonce)
    copied = 0

    def pause() -> None:
        nonlocal copied
        copied += 1
        work.attempt.notes["copied"] = copied
        raise_if_stopping()

    live = Live(seen["live"], seen["etag"])
    document = publish_outputs(work.root, publication, live, nonce, pause=pause)
    work.run.note(production=document)
    if work.request.engine is EngineName.ATHENA:
        let_tables_follow(work.request.athena(), work.root, document)
    return document
