"""A file that comes piece by piece and gets its name only when it is whole and its hash is right."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Iterator, NamedTuple

from ...errors import DownloadError
from ...flock import is_at, lock

if sys.platform == "win32":
    import msvcrt


class Hash(NamedTuple):
    """What a file should hash to: ``algorithm`` is "sha1" or "sha256"."""

    algorithm: str
    digest: str

    @property
    def title(self) -> str:
        """The algorithm's name for people."""
        return self.algorithm.upper().replace("SHA", "SHA-")


def file_hash(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file, read piece by piece."""
    with open(path, "rb") as file:
        return _stream_hash(file, algorithm)


class PartFile:
    """What there is of ``target`` so far.

    It lies in ``<target>.part``, which a later call goes on with. Only who holds the lock of that name writes to it;
    others write to a file of their own, which they delete at the end. The lock ends with its process, so that no part
    stays locked for good.
    Obtained from `part_file`; writing raises `DownloadError` where the disk is full or read-only.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.lock = _Lock(self.path.with_name(self.path.name + ".lock"))
        self.own = not self.lock.held
        if self.own:
            self.path = target.with_name(f"{target.name}.{uuid.uuid4().hex[:12]}.part")
        try:
            self.file: BinaryIO = open(self.path, "a+b")  # noqa: SIM115
        except OSError:
            self.lock.release()
            raise

    def __len__(self) -> int:
        return self.file.seek(0, os.SEEK_END)

    def write(self, chunk: bytes) -> None:
        """Append."""
        with _writing(self.target):
            self.file.write(chunk)

    def clear(self) -> None:
        """Start over."""
        with _writing(self.target):
            self.file.seek(0)
            self.file.truncate()

    def hash(self, algorithm: str) -> str:
        """Hexadecimal digest of all that is there."""
        with _writing(self.target):
            self.file.seek(0)
            return _stream_hash(self.file, algorithm)

    def keep(self) -> None:
        """Give the file its name."""
        with _writing(self.target):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()  # Windows renames no open file
            os.replace(self.path, self.target)

    def keep_if(self, wanted: Hash) -> str:
        """Give the file its name if it has this hash, otherwise start over; gives the digest that it has."""
        digest = self.hash(wanted.algorithm)
        if digest == wanted.digest:
            self.keep()
        else:
            self.clear()
        return digest

    def close(self) -> None:
        """Let go; what is worth going on with stays in ``<target>.part``."""
        with suppress(OSError):
            self.file.close()  # Windows deletes no open file
        with suppress(OSError):
            if self.own or self.path.stat().st_size == 0:
                self.path.unlink()
        self.lock.release()


class _Lock:
    """A lock that one call at a time can have, in whichever process; it lies in a file of its own.

    So the file that it is for can be closed before it is renamed, as Windows wants, and be locked until then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO = open(path, "a+b")  # noqa: SIM115
        self.held = _lock(self.file, path)
        if not self.held:
            self.file.close()

    def release(self) -> None:
        """Let others have it, and leave no file."""
        if not self.held:
            return
        with suppress(OSError):
            try:
                self.path.unlink()  # while it is locked: nobody takes a lock whose file is about to go
            except PermissionError:  # Windows deletes no open file, nor, below, one that others wait for
                self.file.close()
                self.path.unlink()
        self.file.close()


@contextmanager
def part_file(target: Path) -> Iterator[PartFile]:
    """Open the part of ``target``, making folders; ``keep`` it before the end, or it has not got its name.

    Raises
    ------
    DownloadError
        If it cannot be written there.
    """
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = PartFile(target)
    try:
        yield part
    finally:
        part.close()


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Wait until nobody else fetches ``target``, and keep others from it until the end of the block.

    What killed processes have left of it besides ``<target>.part`` is removed. The lock is the system's, so that it
    ends with its process; where the system or the file system has none, nobody is waited for, and nothing is removed:
    it could be another's who is at work.

    Raises
    ------
    DownloadError
        If nothing can be written there.
    """
    if sys.platform == "win32":
        yield
        return
    path = target.with_name(target.name + ".lock")
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        file, locked = _waited_for(path)
    try:
        if locked:
            _sweep(target)
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is locked: who waits for it finds that it has no name any more
        file.close()


def _waited_for(path: Path) -> tuple[BinaryIO, bool]:
    """The open file of a lock, and whether it is ours; it is not where the file system has no locks."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")
        locked = False
        with suppress(OSError):
            locked = lock(file.fileno(), wait=True)
        if is_at(file.fileno(), path):
            return file, locked
        file.close()


def _sweep(target: Path) -> None:
    """Remove the parts that second writers of a file have left."""
    left = re.compile(rf"{re.escape(target.name)}\.[0-9a-f]{{12}}\.parts?")
    for path in target.parent.iterdir():
        if left.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"{target.name} cannot be written to {target.parent} ({error.strerror or error}). "
            "Make room, or name another folder in the environment variable PREDICDIFF_CACHE."
        ) from error


def _lock(file: BinaryIO, path: Path) -> bool:
    """Whether an open file could be locked; never waits."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        if not lock(file.fileno()):
            path.unlink()  # of a file system without locks: it is nobody's
            return False
    except OSError:
        return False
    # between opening and locking, whoever had the lock may have deleted the file
    return is_at(file.fileno(), path)


def _stream_hash(file: BinaryIO, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
