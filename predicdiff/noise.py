"""Draws before they are made: normal numbers, and what makes patches of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Optional, Tuple, Union

import numpy as np

from .sums import BESIDE, UNIT, between, dot, doubt, finer, lengths

#: Values rounded at once: they stay in a processor's cache.
CHUNK = 2**17

#: Where draws are cut off: at two numbers, or at two arrays (n, C, h, w), a bound for each value.
Limits = Optional[Tuple[Union[float, np.ndarray], Union[float, np.ndarray]]]


@dataclass(frozen=True)
class Means:
    """Means (n, B, W) of draws, each known to within a doubt.

    Attributes
    ----------
    values : (n, B, W) float64 array
    doubts : float64 array that broadcasts to ``values``
    """

    values: np.ndarray
    doubts: np.ndarray

    def finer(self, windows: np.ndarray, block: int, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Some of them (m,), each with a doubt of a few roundings, and these."""
        return self.values[windows, block, values], np.zeros(len(values))

    def exactly(self, window: int, block: int, value: int) -> float:
        """One of them, rounded once."""
        return float(self.values[window, block, value])


@dataclass(frozen=True)
class Noise:
    """Draws of n windows, S for each, of which a device may make the patches: ``means + factor @ normal``, cut off.

    The values of a window come in B blocks of W, which are independent of each other; blocks and values run over
    channels, rows, columns.

    Attributes
    ----------
    normal : (n, S, B, W) float array
        Standard normal numbers.
    means : (n, B, W) float64 array
        As they are, without a doubt.
    laws : (n,) int array
        Which factor is a window's.
    factors : tuple of (B, W, W) arrays
        Lower triangular.
    window : (rows, columns)
        Its sides.
    limits : (low, high) or None
    """

    normal: np.ndarray
    means: np.ndarray
    laws: np.ndarray
    factors: tuple[np.ndarray, ...]
    window: tuple[int, ...]
    limits: Limits = None

    @property
    def shape(self) -> tuple[int, ...]:
        """What the patches have, (n, S, C, h, w)."""
        count, samples, blocks, size = self.normal.shape
        return count, samples, blocks * size // math.prod(self.window), *self.window

    def of_window(self, window: int) -> np.ndarray:
        """One window's patches (S, C, h, w)."""
        one = slice(window, window + 1)
        limits = self.limits
        if limits is not None:
            low, high = (np.asarray(limit)[one] if np.ndim(limit) else limit for limit in limits)
            limits = low, high
        part = replace(self, normal=self.normal[one], means=self.means[one], laws=self.laws[one], limits=limits)
        return part.patches()[0]

    def later(self, skipped: int) -> Noise:
        """The same without the first ``skipped`` draws of each window."""
        return replace(self, normal=self.normal[:, skipped:]) if skipped else self

    def patches(self) -> np.ndarray:
        """Patches (n, S, C, h, w) float32.

        With the same means a draw has the same bits whatever others it is made with, and by however many threads.
        """
        patches = np.empty(self.shape, np.float32)
        for law, factor in enumerate(self.factors):
            # not copied where there is one law only
            alike = slice(None) if len(self.factors) == 1 else np.flatnonzero(self.laws == law)
            means = Means(self.means[alike], np.zeros(1))
            patches[alike] = drawn(self.normal[alike], means, factor).reshape(-1, *self.shape[1:])
        return cut_off(patches, self.limits)


def drawn(normal: np.ndarray, means: Means, factor: np.ndarray) -> np.ndarray:
    """Draws (n, S, B, W) float32 of windows with one law: ``means + factor @ normal``, rounded as if it were exact.

    Parameters
    ----------
    normal : (n, S, B, W) float array
    means : Means
    factor : (B, W, W) array
        Lower triangular.
    """
    count, samples, _, size = normal.shape
    draws, roundings = np.empty(normal.shape, np.float32), np.arange(1, size + 1)  # the factor's other numbers are zero
    mean_doubts = np.broadcast_to(means.doubts, means.values.shape)
    for block, own in enumerate(factor.astype(np.float64)):
        numbers, long, unsure = np.ascontiguousarray(normal[:, :, block], np.float64), lengths(own), [np.empty(0, int)]
        values = np.matmul(numbers.reshape(-1, size), own.T).reshape(numbers.shape)
        for part in _runs(count, CHUNK // max(1, samples * size)):
            centres, rows = means.values[part, block], numbers[part]
            doubts = doubt(roundings, lengths(rows).max(axis=1, keepdims=True, initial=0.0), long)
            doubts += mean_doubts[part, block] + BESIDE * UNIT * np.abs(centres)
            draws[part, :, block], either = between(values[part], centres[:, None], doubts[:, None])
            unsure.append(np.flatnonzero(either) + part.start * samples * size)
        places = np.concatenate(unsure)
        for some in _runs(len(places), CHUNK // size):
            window, sample, value = np.unravel_index(places[some], values.shape)
            chosen = numbers[window, sample], own[value]
            draws[window, sample, block, value] = _settled(*chosen, means, (window, block, value))
    return draws


def _settled(
    normal: np.ndarray, factor: np.ndarray, means: Means, places: tuple[np.ndarray, int, np.ndarray]
) -> np.ndarray:
    """Draws (m,) that doubt left open, from numbers (m, W) and rows (m, W) of factors, and where their means are."""
    (centres, doubts), (values, own_doubts) = means.finer(*places), finer(normal, factor)
    doubts = doubts + own_doubts + BESIDE * UNIT * np.abs(centres)
    draws, unsure = between(values, centres, doubts)
    windows, block, inside = places
    for number in np.flatnonzero(unsure):
        mean = means.exactly(windows[number], block, inside[number])
        draws[number] = dot(factor[number], normal[number], beside=mean)
    return draws


def _runs(count: int, size: int) -> Iterator[slice]:
    """Cut ``count`` of anything into runs of at most ``size``, one at least."""
    size = max(1, size)
    return (slice(start, start + size) for start in range(0, count, size))


def cut_off(patches: np.ndarray, limits: Limits) -> np.ndarray:
    """Patches (n, S, C, h, w), changed in place: none beyond the limits."""
    if limits is None:
        return patches
    low, high = (np.asarray(limit)[:, None] if np.ndim(limit) else limit for limit in limits)
    return np.clip(patches, low, high, out=patches)


#: What is set in at windows: patches (n, S, C, h, w), or what a net makes them of.
Draws = Union[np.ndarray, Noise]
