"""Rolling back and pruning for a command, and showing what that came to."""

import datetime
import uuid
from contextlib import nullcontext
from dataclasses import asdict, dataclass

from healthpipe.cli.console import log
from healthpipe.cli.render import print_document, print_table, size_text
from healthpipe.cli.shared import OutputSettings
from healthpipe.publishing.pointer import read_live
from healthpipe.publishing.prune import plan_prune, remove_planned
from healthpipe.publishing.publish import rollback
from healthpipe.runs.locks import root_locked
from healthpipe.storage.layout import Root


@dataclass(frozen=True)
class PruneRequest:
    """How much stays: published runs, and days of others; `dry_run` only tells."""

    keep: int
    days: int
    dry_run: bool
    lock_wait_s: float


def roll_back(root: Root, run_id: str | None, lock_wait_s: float, manner: OutputSettings) -> None:
    """Flip back, and print the paths of what is live now."""
    with manner.session(), root_locked(root, "runs rollback", lock_wait_s):
        was = read_live(root).run_id
        live = rollback(root, run_id, uuid.uuid4().hex)
    log.info(
        f"run {live.run_id} as of {live.as_of} is live again"
        f" as generation {live.generation}; run {was} was"
    )
    if manner.json:
        print_document("runs rollback", {"run_id": live.run_id, "production": live.document})
    elif not manner.quiet:
        for file in live.files:
            print(f"{root.uri}/{file.path}")


def prune_root(root: Root, pruning: PruneRequest, manner: OutputSettings) -> None:
    """A line for each thing removed, or in a dry run to be removed."""
    today = datetime.datetime.now(datetime.UTC).date()
    # Looking alone disturbs nobody.
    lock = (
        nullcontext() if pruning.dry_run else root_locked(root, "runs prune", pruning.lock_wait_s)
    )
    with manner.session(), lock:
        removals = plan_prune(root, keep=pruning.keep, days=pruning.days, today=today)
        if not pruning.dry_run:
            removals = remove_planned(root, removals)
    size = sum(removal.bytes for removal in removals)
    verb = "would be removed" if pruning.dry_run else "removed"
    log.info(f"{len(removals):,} folders and fragments {verb}, {size_text(size)}")
    if manner.json:
        listed = [asdict(removal) for removal in removals]
        print_document(
            "runs prune", {"dry_run": pruning.dry_run, "bytes": size, "removals": listed}
        )
    elif not manner.quiet:
        rows = [(each.kind.value, str(each.bytes), each.uri, each.why) for each in removals]
        print_table(("kind", "bytes", "path", "why"), rows)
