"""Functions that fail in each way that `bounded` is to notice."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

from predicdiff.errors import InputWarning, SettingsError, warn


def value(folder: Path, answer: int) -> int:
    warn("this is ours", InputWarning)
    return answer


def sentence(folder: Path) -> None:
    raise SettingsError("want 3, not 4.")


def raises(folder: Path) -> None:
    raise ValueError("out of range")


def leaves(folder: Path) -> None:
    sys.exit(2)


def eats(folder: Path, size: int) -> int:
    return len(b"x" * size)


def eats_and_says_so(folder: Path, size: int) -> None:
    try:
        bytearray(size)
    except MemoryError as error:
        raise SettingsError("too large.") from error


def spins(folder: Path) -> None:
    while True:
        pass


def spins_for(folder: Path, seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def sleeps(folder: Path) -> None:
    time.sleep(1000)


def crashes(folder: Path) -> None:
    ctypes.string_at(0)


def exits(folder: Path) -> None:
    os._exit(3)


def writes(folder: Path, number: int) -> None:
    os.write(number, b"HDF5-DIAG: Error detected")


def prints(folder: Path) -> None:
    print("found it")


def warns(folder: Path) -> None:
    warnings.warn("invalid value encountered", RuntimeWarning, stacklevel=1)


def leaves_a_temporary_file(folder: Path) -> None:
    os.close(tempfile.mkstemp()[0])


def leaves_half_an_output(folder: Path) -> None:
    (folder / "out" / "map.png").write_bytes(b"half")
    raise SettingsError("the rest is missing.")


class RawError(SettingsError):
    """One that gives its message as it came."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        return self.message


def raises_pages(folder: Path, message: str) -> None:
    raise RawError(message)
