"""Work in threads that is no longer wanted: each is told so, and ends between two batches."""

from __future__ import annotations

import threading
from contextlib import suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

#: Seconds after which whoever waits for others looks up: not everywhere does Ctrl-C wake it.
PATIENCE = 0.1

#: What tells this thread to end; nothing does where its work is the caller's own.
_told: ContextVar[threading.Event | None] = ContextVar("told", default=None)


class Stopped(BaseException):
    """What a thread was to do is no longer wanted; no Exception, lest a stranger's module catch it."""


def listen(event: threading.Event) -> None:
    """Have `check_stopped` end this thread's work once the event is set."""
    _told.set(event)


def next_of(queue: SimpleQueue[T]) -> T:
    """What comes next by a queue; whoever waits looks up whether this thread's work is wanted still."""
    while True:
        check_stopped()
        with suppress(Empty):
            return queue.get(timeout=PATIENCE)


def check_stopped() -> None:
    """Raise `Stopped` if this thread's work is no longer wanted."""
    event = _told.get()
    if event is not None and event.is_set():
        raise Stopped
