"""Draws before they are made: normal numbers, and what makes patches of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Optional, Tuple, Union

import numpy as np

from .sums import BESIDE, UNIT, dot, doubt, rounded

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
    laws : (n,) int array
        Which factor is a window's.
    factors : tuple of (B, W, W) arrays
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

        A draw has the same bits whatever others it is made with, and by however many threads.
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
    """
    count, samples, blocks, size = normal.shape
    factor, rows = factor.astype(np.float64), normal.reshape(-1, blocks, size).transpose(1, 0, 2)
    values = np.matmul(rows, factor.transpose(0, 2, 1)).reshape(blocks, count, samples, size)
    values += means.values.transpose(1, 0, 2)[:, :, None]
    doubts = means.doubts + BESIDE * UNIT * np.abs(means.values).max(axis=0, initial=0.0) + doubt(factor, rows)

    def exactly(place: tuple[int, ...]) -> float:
        block, window, sample, value = place
        mean = means.exactly(window, block, value)
        return dot(factor[block, value], normal[window, sample, block].astype(np.float64), beside=mean)

    return rounded(values, np.broadcast_to(doubts, (blocks, size))[:, None, None], exactly).transpose(1, 2, 0, 3)


def cut_off(patches: np.ndarray, limits: Limits) -> np.ndarray:
    """Patches (n, S, C, h, w), changed in place: none beyond the limits."""
    if limits is None:
        return patches
    low, high = (np.asarray(limit)[:, None] if np.ndim(limit) else limit for limit in limits)
    return np.clip(patches, low, high, out=patches)


#: What is set in at windows: patches (n, S, C, h, w), or what a net makes them of.
Draws = Union[np.ndarray, Noise]
