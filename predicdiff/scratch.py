"""Stacks of arrays that may be larger than memory: beyond a bound they lie in a temporary file.

Such a stack is an array like any other. Its file has no name that others see, and is gone when nothing holds the array
any more, however the program ends. Of what is read of it the system keeps copies in memory until they are let go: so
whoever goes through a stack takes a block at a time (`blocks`), or says when a part is done with (`let_go`). Arrays in
memory take the same road.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, Any

import numpy as np

from . import budget
from .errors import SamplerError

#: Bytes of a stack that are kept in memory: a larger one goes into a file.
HELD = 64 * 2**20
#: Bytes that are looked at together.
BLOCK = 8 * 2**20
#: Where large temporary files belong on systems whose /tmp may be memory; what the environment names comes first.
LARGE = "/var/tmp"
NAMED = ("TMPDIR", "TEMP", "TMP")


class _Mapped(mmap.mmap):
    """A file of ours as memory, which nobody can write to."""


class Stack:
    """Arrays of one shape, added one by one, that become one array.

    As a context it closes its file, of which the array has a hold of its own.

    Parameters
    ----------
    what : str
        What they are, for errors: ``"photos/: images as the net sees them"``.
    dtype : numpy type, optional
        By default that of the first.
    """

    def __init__(self, what: str, dtype: Any = None) -> None:
        self.what, self.dtype = what, dtype
        self.count = 0
        self._shape: tuple[int, ...] = ()
        self._held: list[np.ndarray] = []
        self._file: IO[bytes] | None = None
        self._folder = "the folder of temporary files"

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            # a full disk has been told of by then
            with contextlib.suppress(OSError):
                self._file.close()

    def add(self, array: np.ndarray) -> None:
        """Put one more array on the stack.

        Raises
        ------
        SamplerError
            If it has another shape than those before it, or no temporary file can be written.
        """
        array = np.asarray(array, self.dtype)
        self.dtype = array.dtype
        if self.count and array.shape != self._shape:
            raise SamplerError(
                f"{self.what}: number {self.count + 1} has the shape {array.shape}, those before it {self._shape}: "
                "want one shape for all."
            )
        self.count, self._shape = self.count + 1, array.shape
        self._held.append(array)
        # in memory they are put into one array at the end, which takes as much again
        if self._file is not None or self.count * array.nbytes > min(HELD, budget.room() // 2):
            self._write()

    def whole(self) -> np.ndarray:
        """All of them (m, ...), at least one; an array that lies in a file cannot be written to."""
        if self._file is None:
            return np.stack(self._held)
        try:
            self._file.flush()
            mapped = _Mapped(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise self._no_room(error) from error
        return np.ndarray((self.count, *self._shape), self.dtype, buffer=mapped)

    def _write(self) -> None:
        """Move what memory holds into the file."""
        try:
            if self._file is None:
                self._folder = folder()
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            while self._held:
                array = self._held.pop(0)
                self._file.write(np.ascontiguousarray(array).data)
                let_go(array)
        except OSError as error:
            raise self._no_room(error) from error

    def _no_room(self, error: OSError) -> SamplerError:
        size = budget.size(self.count * math.prod(self._shape) * self.dtype.itemsize)
        return SamplerError(
            f"{self.what}: the first {self.count} take {size}, and they cannot be kept in a temporary file "
            f"({error.strerror}). Make room in {self._folder}, or name a folder with more of it in the environment's "
            "TMPDIR."
        )


def stacked(arrays: Iterable[np.ndarray], what: str, dtype: Any = None) -> np.ndarray:
    """One array of arrays of one shape, at least one; parameters and errors as for `Stack`."""
    with Stack(what, dtype) as stack:
        for array in arrays:
            stack.add(array)
        return stack.whole()


def outside(array: np.ndarray, what: str) -> np.ndarray:
    """An array that memory need not hold: itself where it is small or lies in a file, else a stack; see `Stack`."""
    return array if array.nbytes <= HELD or in_file(array) else stacked(array, what)


def in_file(array: Any) -> bool:
    """Whether an array is a stack in a file, or a part of one: nobody can change it."""
    return _mapped(array) is not None


def let_go(array: Any) -> None:
    """Give back the memory that has been taken to look at a stack in a file; when it is looked at again it is read."""
    mapped = _mapped(array)
    if mapped is not None and sys.platform != "win32":  # which takes back by itself what is not looked at
        mapped.madvise(mmap.MADV_DONTNEED)


def blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """The array in runs along its first axis, each of which is let go when the next is asked for."""
    size = max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), size):
        yield array[start : start + size]
        let_go(array)


def extent(array: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value; both are NaN where any is."""
    with np.errstate(invalid="ignore"):
        ends = np.array([(block.min(), block.max()) for block in blocks(np.atleast_1d(array))])
        return float(ends[:, 0].min()), float(ends[:, 1].max())


def _mapped(array: Any) -> _Mapped | None:
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, _Mapped) else None


def folder() -> str:
    """Where large temporary files belong."""
    named = any(os.environ.get(name) for name in NAMED)
    return LARGE if not named and os.path.isdir(LARGE) and os.access(LARGE, os.W_OK) else tempfile.gettempdir()
