"""How many processors this process may use: never those of the host alone."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

#: Where Linux says in which control groups a process is, and where the groups lie.
MEMBERSHIP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")

#: How many of them this one's work is to use, where it shares them with other processes.
_share: ContextVar[int | None] = ContextVar("share", default=None)


@contextmanager
def sharing(count: int) -> Iterator[None]:
    """Use no more processors than ``count``, in this thread and until the end of the block."""
    token = _share.set(count)
    try:
        yield
    finally:
        _share.reset(token)


def cores() -> int:
    """Processors that the process is bound to, or the container's quota of their time where that is less; at least 1.

    A quota of one and a half counts as two: two threads use it up, and pause until the next period begins. Within
    `sharing` there are no more than it says.
    """
    share = _share.get()
    return _there() if share is None else max(1, min(share, _there()))


def _there() -> int:
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    bound = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    return max(1, min([bound, *map(math.ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """What the control groups allow, the process's own and those around it, of both versions; in processors."""
    try:
        lines = MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system
        return
    for controllers, path in (line.split(":", 2)[1:] for line in lines if line.count(":") > 1):
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = GROUPS / "cpu" if controllers else GROUPS  # a link, where more controllers are mounted at one place
        own = top / path.strip("/")
        for group in (at for at in (own, *own.parents) if at == top or top in at.parents):
            # a container may see the host's path, and its own group at the top; "max" is no number, and no limit
            with suppress(OSError, ValueError, ZeroDivisionError):
                quota, period = _limit(group, second=not controllers)
                if quota > 0:
                    yield quota / period


def _limit(group: Path, *, second: bool) -> tuple[int, int]:
    """Microseconds that a group may compute, and in how many; -1 for as many as it likes."""
    if second:
        quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        return int(quota), int(period)
    quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period"))
    return int(quota), int(period)
