"""The system's lock on an open file, which ends with whoever holds it; not every system or file system has one."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

#: What the system answers where another holds the lock.
HELD = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)
#: What it answers where a file system has no locks.
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def lock(handle: int, *, wait: bool = False) -> bool:
    """Lock an open file; False where there are no locks.

    Raises
    ------
    BlockingIOError
        If another holds it and is not to be waited for.
    OSError
        If it cannot be locked for another reason.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in HELD:
            raise BlockingIOError(error.errno, error.strerror) from None
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def unlock(handle: int) -> None:
    """End a lock, whatever other process has the file open."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)


def is_at(handle: int, path: Path) -> bool:
    """Whether an open file is the one that has this name, and not one that was deleted since."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    return False
