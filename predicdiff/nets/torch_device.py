"""Where and how exactly torch computes: the device, IEEE float32, and memory that runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union

import torch

from ..errors import OutOfMemoryError, SettingsError

Device = Optional[Union[str, torch.device]]

#: What allocators say when they have nothing left, each in its own words.
FULL = ("can't allocate memory", "out of memory", "alloc_failed", "bad_alloc", "could not allocate")


def choose_device(device: Device) -> torch.device:
    """The device asked for; without a wish a GPU if there is one, else the CPU."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise SettingsError(
            f"device {str(device)!r} cannot be used ({first_line(error)}): want cpu, or cuda."
        ) from None
    return chosen


@contextmanager
def exactly() -> Iterator[None]:
    """Compute float32 as IEEE has it and repeatably: no TF32 or bfloat16 inside products, no choice by timing.

    The caller's settings come back afterwards.
    """
    switches = _switches()
    before = [getattr(place, name) for place, name, _ in switches]
    try:
        for place, name, value in switches:
            setattr(place, name, value)
        yield
    finally:
        for (place, name, _), value in zip(switches, before):
            setattr(place, name, value)


def _switches() -> list[tuple[Any, str, Any]]:
    backends: Any = torch.backends
    repeatable = [(backends.cudnn, "deterministic", True), (backends.cudnn, "benchmark", False)]
    if hasattr(backends.cudnn, "conv"):  # from torch 2.9; the older names must not be mixed with the new ones
        places = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
        return repeatable + [(place, "fp32_precision", "ieee") for place in places]
    return repeatable + [(_Products(), "precision", "highest"), (backends.cudnn, "allow_tf32", False)]


class _Products:
    """The precision of matrix products before torch 2.9, as an attribute."""

    @property
    def precision(self) -> str:
        return torch.get_float32_matmul_precision()

    @precision.setter
    def precision(self, value: str) -> None:
        torch.set_float32_matmul_precision(value)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn what torch and numpy raise when memory runs out into our `OutOfMemoryError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, OutOfMemoryError) or not is_full(error):
            raise
        raise OutOfMemoryError(f"memory ran out ({first_line(error)}): use smaller batches.") from None


def is_full(error: BaseException) -> bool:
    """Whether an exception says that memory ran out."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in FULL)


def first_line(error: BaseException) -> str:
    """An exception's message in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
