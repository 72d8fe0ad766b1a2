"""A file that one run alone writes: opened without following a link, and locked until it is closed.

The lock is the system's (`flock`), so that it ends with the process however that ends, and with it alone: one that was
forked from it lets go of it at once. Whoever holds it may delete the file; who had opened that one before then finds
that it has no name any more, and opens what has.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple
from weakref import WeakSet

from .errors import ExplanationError, InputWarning, warn
from .files import AT_ONCE, regular
from .flock import is_at, lock, unlock

if sys.platform == "win32":
    FLAGS = os.O_BINARY
else:
    FLAGS = os.O_NOFOLLOW | AT_ONCE

#: The files that are locked.
_open: WeakSet[BinaryIO] = WeakSet()


class InUseError(ExplanationError):
    """Another run holds the lock."""


class Locked(NamedTuple):
    """An open file, and whether it could be locked: not every system and not every file system has locks."""

    file: BinaryIO
    held: bool


def open_locked(path: Path, *, new: bool = True) -> Locked:
    """Open a file to read and write it, made if ``new`` and not there, and lock it; nothing in it is changed.

    Raises
    ------
    InUseError
        If another run holds it; without waiting.
    ExplanationError
        If a link, a pipe, a device or a folder stands there.
    OSError
        If it cannot be opened.
    """
    while True:
        file = os.fdopen(_opened(path, os.O_RDWR | (os.O_CREAT if new else 0)), "r+b")
        _open.add(file)
        try:
            held = _lock(file, path)
            if not held or is_at(file.fileno(), path):
                return Locked(file, held)
        except BaseException:
            let_go(file)
            raise
        let_go(file)  # its holder deleted it in the moment before


def let_go(file: BinaryIO) -> None:
    """Close a file of `open_locked`'s, and end its lock, whatever process else has it open."""
    _open.discard(file)
    if sys.platform == "win32" or file.closed:
        file.close()
        return
    handle = os.dup(file.fileno())
    try:
        file.close()  # which may write, and does so under the lock
    finally:
        unlock(handle)
        os.close(handle)


def _forget() -> None:
    """In a forked process: have nothing in the place of the files that the first one has locked."""
    handle = os.open(os.devnull, os.O_RDWR)  # not closed: that would write what the first is about to write itself
    for file in _open:
        os.dup2(handle, file.fileno(), inheritable=False)
    os.close(handle)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)


def open_to_read(path: Path) -> BinaryIO:
    """Open a file to read it, whoever holds it; errors as of `open_locked`."""
    return os.fdopen(_opened(path, os.O_RDONLY), "rb")


def _opened(path: Path, flags: int) -> int:
    regular(path, ExplanationError)
    if path.is_symlink():
        raise ExplanationError(f"{path}: a link, which is not followed here. Move it away.")
    handle = os.open(path, flags | FLAGS, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # put there in the moment before
        os.close(handle)
        raise ExplanationError(f"{path}: no file, but something else. Move it away.")
    return handle


def _lock(file: BinaryIO, path: Path) -> bool:
    """Take the lock of an open file, without waiting; False where there are no locks."""
    try:
        held = lock(file.fileno())
    except BlockingIOError:
        raise InUseError(f"{path}: another run holds it.") from None
    if not held and sys.platform != "win32":
        warn(f"{path}: the file system there has no locks. See to it that no other run writes there.", InputWarning)
    return held
