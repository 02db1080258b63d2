"""Telling a monitor that a run began and how it ended; silence is what it alarms at."""

import http.client
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from healthpipe.errors import Interrupted, UsageError, exit_code_of

log = logging.getLogger("healthpipe")
TIMEOUT_S = 10.0
# Whoever interrupts a run waits for its end.
INTERRUPTED_TIMEOUT_S = 0.5


@contextmanager
def heartbeat(url: str | None) -> Iterator[None]:
    """Call `<url>/start` now and `<url>/<exit status>` when the block ends, however it ends.

    That a monitor cannot be reached is said and changes nothing.
    """
    if url is None:
        yield
        return
    _call(url, "start", TIMEOUT_S)
    try:
        yield
    except BaseException as error:
        patience = INTERRUPTED_TIMEOUT_S if isinstance(error, Interrupted) else TIMEOUT_S
        _call(url, str(exit_code_of(error)), patience)
        raise
    _call(url, "0", TIMEOUT_S)


def require_url(url: str | None) -> None:
    """Refuse what is no address of the web. Raises `UsageError`."""
    if url is None:
        return
    parts = urlsplit(url)
    if not (parts.scheme in ("http", "https") and parts.netloc):
        raise UsageError("--heartbeat-url is not a web address", "give https://host/path")


def _call(url: str, what: str, patience: float) -> None:
    # A thread, for a time limit that holds for the whole exchange, name lookup included.
    caller = threading.Thread(target=_get, args=(_below(url, what),), daemon=True)
    caller.start()
    caller.join(patience)
    if caller.is_alive():
        log.warning("the heartbeat was not answered within %g s", patience)


def _get(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):
            pass
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        log.warning("the heartbeat failed: %s", reason)


def _below(url: str, what: str) -> str:
    """The address of `what` below that of a monitor, before its query."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{what}").geturl()
