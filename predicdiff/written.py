"""Files that get their names only when they are whole, and are then on the disk.

Until then they lie in a part beside their place, which only their owner may read. Who writes a part holds a lock on
it, which ends with the process: so the next that writes the same file removes the parts that were left by a kill.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from .errors import ExplanationError, PredicdiffError
from .flock import is_at, lock
from .ours import refuse

#: What is kept of the mode of a file that is replaced.
PERMISSIONS = 0o777


@contextmanager
def written_whole(
    path: Path, *, error: type[PredicdiffError] = ExplanationError, swept: bool = False, known: bool = False
) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it gets the real name only when all went well.

    A link stays, and the file that it leads to is written. A file that was there before hands on its mode and, where
    that is allowed, its owner and group; otherwise the mode is that of any new file.

    Parameters
    ----------
    path : Path
    error : type
        Of the errors.
    swept : bool
        Whether nothing is to be looked for that killed writes of this file have left: `sweep` was called before. To
        look takes the longer, the more files the folder has.
    known : bool
        Whether what stands there is known to be ours, though nothing in it says so.

    Raises
    ------
    ExplanationError, or ``error``
        If the folder cannot be made or written to, the disk is full, or what stands there is not ours (`ours.refuse`).
    """
    part: _Part | None = None
    try:
        target = target_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not swept:
            _sweep(target.parent, re.escape(target.name), re.escape(target.suffix))
        part = _Part(target)
        yield part.path
        if not known:
            refuse(target, error)
        part.keep()
    except (OSError, RuntimeError) as wrong:
        reason = getattr(wrong, "strerror", None) or (str(wrong) or type(wrong).__name__).splitlines()[0]
        raise error(f"{path}: cannot be written ({reason}). Choose another place or make room.") from wrong
    finally:
        if part is not None:
            part.close()


def target_of(path: Path) -> Path:
    """The path itself, or where it leads to if it is a link, whether anything is there or not."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def part_name(path: Path, mark: str = "00000000") -> str:
    """The name of a file's part; ``mark`` tells it from others'."""
    return f".{path.name}.{mark}.part{path.suffix}"


class _Part:
    """The part of a file that is being written."""

    def __init__(self, target: Path) -> None:
        self.target = target
        new = not target.exists()
        self.handle, self.path = _made(target, 0o666 if new else 0o600)
        # what the system gave it by the umask, which cannot be asked for without setting it for all threads
        self.mode = stat.S_IMODE(self.path.stat().st_mode) if new else 0o600
        self.path.chmod(0o600)

    def keep(self) -> None:
        """Give it the file's name, on the disk, too."""
        if self.target.exists():
            _hand_on(self.target.stat(), self.path)
        else:
            self.path.chmod(self.mode)
        _to_disk(self.path)  # some file systems report only then that they are full
        os.replace(self.path, self.target)
        if sys.platform != "win32":
            with suppress(OSError):  # the file is there; not every file system can do this for a folder
                _to_disk(self.target.parent)

    def close(self) -> None:
        """Remove it, if it is there still."""
        with suppress(OSError):
            self.path.unlink()
        if self.handle is not None:
            os.close(self.handle)


def _made(target: Path, mode: int) -> tuple[int | None, Path]:
    """A new part, and the handle by which it is locked, where the system has such locks."""
    while True:
        path = target.with_name(part_name(target, secrets.token_hex(4)))
        with suppress(FileExistsError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
            if sys.platform == "win32":  # renames no open file
                os.close(handle)
                return None, path
            with suppress(OSError):  # of a file system without locks, where nothing is swept either
                lock(handle, wait=True)
            if is_at(handle, path):  # else it was swept in the moment before
                return handle, path
            os.close(handle)


def sweep(folder: Path, *suffixes: str) -> None:
    """Remove the parts of all files of these endings that killed writes have left in a folder."""
    for suffix in map(re.escape, suffixes):
        _sweep(folder, rf".+{suffix}", suffix)


def _sweep(folder: Path, name: str, suffix: str) -> None:
    """Remove the parts of files whose names match ``name``, and their endings ``suffix``, both as `re` has them."""
    if sys.platform == "win32":
        return
    parts = re.compile(rf"\.{name}\.[a-z0-9_]{{8}}\.part{suffix}")
    with os.scandir(folder) as items:
        found = [Path(item.path) for item in items if parts.fullmatch(item.name)]
    for path in found:
        with suppress(OSError):  # somebody else's, or being written
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if lock(handle):
                    path.unlink()
            finally:
                os.close(handle)


def _hand_on(before: os.stat_result, path: Path) -> None:
    """Give a file the mode of another and, where that is allowed, its owner and group."""
    mode = stat.S_IMODE(before.st_mode) & PERMISSIONS
    now = path.stat()
    if sys.platform != "win32" and (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with suppress(OSError):
            os.chown(path, -1, before.st_gid)
        with suppress(OSError):
            os.chown(path, before.st_uid, -1)
        if path.stat().st_gid != before.st_gid:  # another group sees no more than everybody does
            mode = mode & ~0o070 | (mode & 0o007) << 3
    path.chmod(mode)


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
