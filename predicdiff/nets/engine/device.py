"""Where and how exactly torch computes: the device, IEEE float32, and memory that runs out."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Optional, Tuple, Union

import torch

from ...cores import cores
from ...errors import OutOfMemoryError, SettingsError, first_line
from ...protocols import PRECISIONS

Device = Optional[Union[str, torch.device]]
#: Where a setting of torch's lies, its name and its value.
Switch = Tuple[Any, str, Any]

#: glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD (at most 2**25): bytes from which memory is given back. And its
#: M_ARENA_MAX: all threads take theirs from one place, since what a thread of its own has is given back all the same.
MALLOC = {-1: 2**30, -3: 2**25, -8: 1}

#: What allocators say when they have nothing left, each in its own words, and cuDNN when it found no room to work in.
FULL = (
    "can't allocate memory", "out of memory", "alloc_failed", "bad_alloc", "could not allocate",
    "unable to find an engine to execute",
)  # fmt: skip

#: Guards torch's switches, which all threads share: who computes at this moment and in which products, and what the
#: caller had set before.
_turn = threading.Condition()
_computing: list[tuple[int, str]] = []
_callers: list[Switch] = []
#: Held while a thread sets with how many it computes.
_setting = threading.Lock()


def check_precision(precision: str, device: torch.device) -> str:
    """The name, if it is one and the device has it."""
    if precision not in PRECISIONS:
        raise SettingsError(f"precision {precision!r} is unknown: want one of {', '.join(PRECISIONS)}.")
    if precision == "tf32" and device.type != "cuda":
        raise SettingsError(f"precision tf32 is a GPU's, and the device is {device.type}: want float32 or bfloat16.")
    if precision == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise SettingsError("precision bfloat16 is not known to this GPU: want float32.")
    return precision


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for the next batch, in the whole process; whether it does.

    Otherwise it gives large blocks back to the system and gets them anew, page by page, which takes a light net up to a
    third of its time on the CPU. For programs, since it is not a library's to decide: the command line calls it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another system, another C library
        return False
    return all(mallopt(option, value) == 1 for option, value in MALLOC.items())


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Compute repeatably, in one of `PRECISIONS`; the caller's settings come back afterwards."""
    half = torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
    with exactly("tf32" if precision == "tf32" else "ieee"), half:
        yield


def choose_device(device: Device) -> torch.device:
    """The device asked for; without a wish a GPU if there is one, else the CPU."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        there = "want cpu, or cuda" if torch.cuda.is_available() else "want cpu, since torch finds no GPU it can use"
        raise SettingsError(f"device {str(device)!r} cannot be used ({first_line(error)}): {there}.") from None
    return chosen


def threads() -> int:
    """How many threads are to compute on the processor: torch's number, but no more than there are cores for them.

    Torch's is what a user set (`torch.set_num_threads`,
    OMP_NUM_THREADS), or the host's cores, whatever a container's quota is.
    """
    return min(torch.get_num_threads(), cores())


def compute_with(count: int) -> None:
    """Have this thread compute with so many of torch's; other threads, and those yet to come, as before."""
    with _setting:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        # torch's number is each thread's own, but what sets it also sets what new threads begin with
        usual = threading.Thread(target=torch.set_num_threads, args=(before,))
        usual.start()
        usual.join()


@contextmanager
def exactly(products: str = "ieee") -> Iterator[None]:
    """Compute float32 as IEEE has it and repeatably: no TF32 or bfloat16 inside products, no choice by timing.

    ``products="tf32"`` allows a GPU that much. Torch has one set of such switches for all threads: those that ask for
    the same compute side by side, and wait while others compute in another way. The caller's settings come back when
    the last has finished.
    """
    me = (threading.get_ident(), products)
    with _turn:
        _turn.wait_for(lambda: all(me[0] == thread or products == kind for thread, kind in _computing))
        if not _computing:
            _callers.extend((place, name, getattr(place, name)) for place, name, _ in _switches(products))
        _computing.append(me)
        _turn_to(_switches(products))
    try:
        yield
    finally:
        with _turn:
            _computing.remove(me)
            _turn_to(_switches(_computing[-1][1]) if _computing else _callers)
            if not _computing:
                _callers.clear()
            _turn.notify_all()


def _turn_to(switches: list[Switch]) -> None:
    for place, name, value in switches:
        setattr(place, name, value)


def _switches(products: str) -> list[Switch]:
    backends: Any = torch.backends
    repeatable: list[Switch] = [
        (backends.cudnn, "deterministic", True),
        (backends.cudnn, "benchmark", False),
    ]
    if hasattr(backends.cudnn, "conv"):  # from torch 2.9; the older names must not be mixed with the new ones
        repeatable += [(place, "fp32_precision", products) for place in (backends.cuda.matmul, backends.cudnn.conv)]
        return repeatable + [
            (place, "fp32_precision", "ieee") for place in (backends.mkldnn.matmul, backends.mkldnn.conv)
        ]
    less = products == "tf32"
    return repeatable + [
        (_Products(), "precision", "high" if less else "highest"),
        (backends.cudnn, "allow_tf32", less),
    ]


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
