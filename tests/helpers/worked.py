"""Nets and samplers for workers in other processes, which import this file; and an analysis of many small tiles."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np

from predicdiff.algorithm import run
from predicdiff.errors import InputWarning, warn
from predicdiff.explanation import Explanation
from predicdiff.plan import Analysis

from .oracle_nets import MapNet, NormalSampler, analysis, photo

SHAPE = (2, 9, 10)
IMAGE = photo(SHAPE, 1)


class Slow(MapNet):
    """Takes a while for each tile."""

    def __init__(self, seconds: float = 0.1, **settings: Any) -> None:
        super().__init__(SHAPE, gain=0.4, dtype=np.float32, **settings)
        self.seconds = seconds

    def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
        time.sleep(self.seconds)
        return super().evaluate(*args, **settings)


class Hungry(MapNet):
    """Kills its process where a batch is larger than there is room for, as a system without memory does."""

    def __init__(self, room: int, first: int) -> None:
        super().__init__(SHAPE, gain=0.4, dtype=np.float32)
        self.most, self.first = room, first

    def evaluate(self, *args: Any, batch_size: int, **settings: Any) -> np.ndarray:
        if batch_size > self.most and os.getpid() != self.first:
            time.sleep(0.1)  # memory is not filled at once; meanwhile what was done before is told
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(*args, batch_size=batch_size, **settings)


class Full(MapNet):
    """Has no room for large batches, and says so."""

    def evaluate(self, *args: Any, batch_size: int, **settings: Any) -> np.ndarray:
        if batch_size > 5:
            raise MemoryError
        return super().evaluate(*args, batch_size=batch_size, **settings)


class Alone(MapNet):
    """Must not be called by two threads at once."""

    busy = threading.Lock()

    def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
        if not self.busy.acquire(blocking=False):
            raise RuntimeError("another thread is at work")
        try:
            time.sleep(0.02)
            return super().evaluate(*args, **settings)
        finally:
            self.busy.release()


class BrokenError(Exception):
    """What a user's sampler may raise."""


class Broken(NormalSampler):
    """Fails in workers, and not in the process that made it."""

    def __init__(self) -> None:
        self.first = os.getpid()

    def draw(self, *args: Any, **settings: Any) -> np.ndarray:
        if os.getpid() != self.first:
            raise BrokenError("the corpus is gone")
        return super().draw(*args, **settings)


class Doubtful(NormalSampler):
    """Warns in workers, in each of its draws."""

    def __init__(self) -> None:
        self.first = os.getpid()

    def draw(self, *args: Any, **settings: Any) -> np.ndarray:
        if os.getpid() != self.first:
            warn("the corpus is small", InputWarning)
        return super().draw(*args, **settings)


def planned(net: Any = None, sampler: Any = None, samples: int = 80) -> Analysis:
    """14 tiles with 80 samples, 56 with 320."""
    net = MapNet(SHAPE, gain=0.4, dtype=np.float32) if net is None else net
    sampler = NormalSampler() if sampler is None else sampler
    return analysis(net, IMAGE.copy(), sampler, window=3, samples=samples, stride=1, units=[0, 2])


def bits(result: Explanation) -> bytes:
    """All that a result's maps are."""
    return result.relevance.tobytes() + result.stderr.tobytes()


def here(samples: int = 80, batch_size: int = 16) -> bytes:
    """What this process alone makes of it."""
    return bits(run(planned(samples=samples), batch_size=batch_size))
