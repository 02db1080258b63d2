"""Production becomes a run again that was live before."""

from typing import Any

from healthpipe.cancellation import raise_if_stopping
from healthpipe.errors import RollbackRefused
from healthpipe.publishing.pointer import nothing_published, read_live
from healthpipe.publishing.publish import holds
from healthpipe.stages.flip import Published, find_flip, flip
from healthpipe.stages.history import history
from healthpipe.storage.layout import Root


def rollback(root: Root, run_id: str | None, nonce: str) -> dict[str, Any]:
    """Flip back to a published run; returns the pointer's new document.

    Without `run_id` to the run that was live last before the one that is: twice in a row leads
    back to where it began. May be called again with the same nonce. Raises `NothingPublished`,
    `RollbackRefused` and, if somebody publishes meanwhile, `PublishConflict`.
    """
    live = read_live(root)
    if live.nonce == nonce:
        return live.document
    if not live.document:
        raise nothing_published(root)
    if flipped := find_flip(root, nonce):
        return flipped
    target = _target(root, run_id, str(live.run_id))
    for file in target["files"]:
        raise_if_stopping()
        if not holds(root, f"{root.uri}/{file['path']}", file):
            raise RollbackRefused(
                f"{file['path']} of run {target['run_id']} is gone or not what was published",
                _choose(root),
            )
    published = Published(target["run_id"], target["as_of"], target["options"], target["files"])
    return flip(root, published, live, nonce)


def _target(root: Root, run_id: str | None, live: str) -> dict[str, Any]:
    """The newest document of the run, or of the run before the live one."""
    if run_id == live:
        raise RollbackRefused(f"run {run_id} is live already", "look at `healthpipe current`")
    for document in history(root):
        if document["run_id"] == run_id or (run_id is None and document["run_id"] != live):
            return document
    if run_id is None:
        raise RollbackRefused(f"no other run than {live} was ever published", "nothing to do")
    raise RollbackRefused(f"run {run_id} was never published", _choose(root))


def _choose(root: Root) -> str:
    return f"name another run that has a folder in {root.production}"
