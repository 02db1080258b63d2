"""The heartbeat: call a monitor's URL when a run begins and ends; it alarms when no call comes."""

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
# Short: whoever interrupts a run waits for its end.
INTERRUPTED_TIMEOUT_S = 0.5


@contextmanager
def heartbeat(url: str | None) -> Iterator[None]:
    """Call `<url>/start` now and `<url>/<exit status>` when the block ends, however it ends.

    A monitor that cannot be reached is logged and changes nothing.
    """
    if url is None:
        yield
        return
    _call(url, "start", TIMEOUT_S)
    try:
        yield
    except BaseException as error:
        timeout_s = INTERRUPTED_TIMEOUT_S if isinstance(error, Interrupted) else TIMEOUT_S
        _call(url, str(exit_code_of(error)), timeout_s)
        raise
    _call(url, "0", TIMEOUT_S)


def require_url(url: str | None) -> None:
    """Raise `UsageError` if a URL is not one of http or https."""
    if url is None:
        return
    parts = urlsplit(url)
    if not (parts.scheme in ("http", "https") and parts.netloc):
        raise UsageError("--heartbeat-url is not a web address", "give https://host/path")


def _call(url: str, signal: str, timeout_s: float) -> None:
    # A thread, for a timeout that holds for the whole exchange, name lookup included.
    caller = threading.Thread(target=_get, args=(_signal_url(url, signal),), daemon=True)
    caller.start()
    caller.join(timeout_s)
    if caller.is_alive():
        log.warning("the heartbeat was not answered within %g s", timeout_s)


def _get(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):
            pass
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        log.warning("the heartbeat failed: %s", reason)


def _signal_url(url: str, signal: str) -> str:
    """The URL of a signal, `start` or an exit status: a monitor's with the signal in its path."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{signal}").geturl()
