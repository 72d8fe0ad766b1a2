"""Work in threads that is no longer wanted: each is told so, and ends between two batches."""

from __future__ import annotations

import threading
from contextvars import ContextVar

#: What tells this thread to end; nothing does where its work is the caller's own.
_told: ContextVar[threading.Event | None] = ContextVar("told", default=None)


class Stopped(BaseException):
    """What a thread was to do is no longer wanted; no Exception, lest a stranger's module catch it."""


def listen(event: threading.Event) -> None:
    """Have `check_stopped` end this thread's work once the event is set."""
    _told.set(event)


def check_stopped() -> None:
    """Raise `Stopped` if this thread's work is no longer wanted."""
    event = _told.get()
    if event is not None and event.is_set():
        raise Stopped
