"""Leases: an object in a storage that one holder at a time keeps renewing while it is at work.

A lease is acquired, renewed and released by conditional writes, and expires when it was not written
for as long as it is valid, by the storage's own clock. So the lease of a holder that died without
a word expires; if it died on this machine, at once.
"""

import datetime
import json
import os
import socket
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import Any

from healthpipe.cancellation import shielded
from healthpipe.errors import Interrupted, ServiceFailed, UsageError
from healthpipe.storage.base import PreconditionFailed, Storage

SCHEMA_VERSION = 1
# A step on AWS Lambda, whose process sleeps between two steps, takes 15 minutes at most.
VALID_S = 20 * 60
RENEWALS_IN_VALIDITY = 3
Document = dict[str, Any]


class LeaseLost(Exception):
    """The lease was not renewed in time, and somebody else has acquired it."""


class _LeaseState(Enum):
    FREE = auto()
    OURS = auto()
    LOST = auto()


@dataclass(frozen=True)
class Lease:
    """The lease that is the object `uri`, valid for `valid_s` seconds from each write."""

    storage: Storage
    uri: str
    valid_s: float = VALID_S

    def last_document(self) -> Document:
        """The document that its last holder wrote; empty if there is none, or a damaged one."""
        found = self._read()
        return found[0] if found else {}

    def read(self) -> Document | None:
        """The document of its holder; None if nobody holds it now."""
        found = self._read()
        return found[0] if found and self._is_held(found[0]) else None

    def acquire(
        self, holder: str, *, is_shared: bool = False, is_certain: bool = False
    ) -> "HeldLease | None":
        """Acquire it for a holder; None if somebody else holds it.

        A lease that `is_shared` may be taken over by another process of the same holder. With
        `is_certain`, that no holder is alive, a lease is acquired even if it is valid.
        """
        found = self._read()
        document, etag = found or ({}, None)
        is_same = document.get("is_shared") and document.get("holder") == holder
        if not (is_same or is_certain) and self._is_held(document):
            return None
        held = HeldLease(self, holder, etag, is_shared=is_shared)
        return held if held.begin() else None

    def _read(self) -> tuple[Document, str] | None:
        found = self.storage.read(self.uri)
        if found is None:
            return None
        try:
            document = json.loads(found[0])
        except ValueError:  # nobody's: it may be acquired
            document = {}
        return (document if isinstance(document, dict) else {}), found[1]

    def _is_held(self, document: Document) -> bool:
        if not document.get("holder") or document.get("is_free") or _died_here(document):
            return False
        # After the document was read: one that was renewed in between only looks younger.
        age = self.storage.age(self.uri)
        return age is not None and age < float(document.get("valid_s", self.valid_s))


class HeldLease:
    """A lease while this process holds it. A thread renews it until it is released."""

    def __init__(self, lease: Lease, holder: str, etag: str | None, *, is_shared: bool) -> None:
        self._lease = lease
        self._etag = etag
        self._writes = 0
        self._state = _LeaseState.FREE
        self._writing = threading.Lock()
        self._is_over = threading.Event()
        self._holder = holder
        self._is_shared = is_shared
        self._document = {
            "schema_version": SCHEMA_VERSION,
            "holder": holder,
            "nonce": uuid.uuid4().hex,
            "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "machine": this_machine(),
            "valid_s": lease.valid_s,
            "is_shared": is_shared,
        }

    def begin(self) -> bool:
        """Write it for the first time and renew it from now on; False if another was quicker."""
        try:
            with self._writing:
                self._write()
                self._state = _LeaseState.OURS
        except PreconditionFailed:
            return False
        except Interrupted:
            self._state = _LeaseState.OURS  # it may have been written
            self.release()
            raise
        # A daemon, so that the process need not wait for it when it ends.
        threading.Thread(target=self._renew_periodically, name="lease", daemon=True).start()
        return True

    def renew(self) -> None:
        """Write it again, for another validity. Raises `LeaseLost`, and `ServiceFailed`."""
        with self._writing:
            if self._state is _LeaseState.OURS:
                try:
                    self._write()
                except PreconditionFailed:
                    self._state = _LeaseState.LOST
            if self._state is not _LeaseState.OURS:
                raise LeaseLost(self._lease.uri)

    def reacquire(self) -> "HeldLease | None":
        """Acquire a lost lease again, if it is shared and went to the same holder."""
        if not self._is_shared:
            return None
        return self._lease.acquire(self._holder, is_shared=True)

    def release(self, *, delete: bool = False) -> None:
        """Mark it as free, and `delete` its object if wanted.

        Does not raise: where that cannot be written, the lease expires.
        """
        self._is_over.set()
        not_done = (PreconditionFailed, ServiceFailed, UsageError)
        with shielded(), self._writing, suppress(*not_done):
            if self._state is _LeaseState.OURS:
                self._state = _LeaseState.FREE
                self._write(is_free=True)
                if delete:
                    self._lease.storage.delete(self._lease.uri)

    def _write(self, **more: Any) -> None:
        """Write it in place of what was last written here, or was found."""
        self._writes += 1
        document = self._document | {"writes": self._writes} | more
        content = json.dumps(document, indent=1).encode()
        try:
            self._etag = self._lease.storage.put_if(self._lease.uri, content, self._etag)
        except PreconditionFailed:
            self._etag = self._own_etag()
            self._etag = self._lease.storage.put_if(self._lease.uri, content, self._etag)

    def _own_etag(self) -> str:
        """The ETag of our last write, if its answer was lost or a signal came before it was kept.

        Raises `PreconditionFailed` if the object is not ours.
        """
        found = self._lease._read()
        if found is None or found[0].get("nonce") != self._document["nonce"]:
            raise PreconditionFailed(self._lease.uri)
        return found[1]

    def _renew_periodically(self) -> None:
        while not self._is_over.wait(self._lease.valid_s / RENEWALS_IN_VALIDITY):
            try:
                self.renew()
            except LeaseLost:
                return
            except ServiceFailed:
                continue  # there is time for another try


@cache
def this_machine() -> str | None:
    """An id of this machine since its last boot, which a host name is not; None where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def _died_here(document: Document) -> bool:
    """Whether the holder was a process of this machine that no longer exists."""
    machine, pid = document.get("machine"), document.get("pid")
    if machine is None or machine != this_machine() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
