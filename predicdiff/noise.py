"""Draws before they are made: normal numbers, and what makes patches of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Optional, Tuple, Union

import numpy as np

#: Where draws are cut off: at two numbers, or at two arrays (n, C, h, w), a bound for each value.
Limits = Optional[Tuple[Union[float, np.ndarray], Union[float, np.ndarray]]]


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

        Products are in double precision, so that after rounding no draw shows with how many others it was multiplied.
        """
        patches = np.empty(self.shape, np.float32)
        for law, factor in enumerate(self.factors):
            # not copied where there is one law only
            alike = slice(None) if len(self.factors) == 1 else np.flatnonzero(self.laws == law)
            normal, means = self.normal[alike], self.means[alike]
            count, samples, blocks, size = normal.shape
            rows = normal.reshape(-1, blocks, size).transpose(1, 0, 2)
            values = np.matmul(rows, factor.astype(np.float64).transpose(0, 2, 1)).reshape(blocks, count, samples, size)
            values += means.transpose(1, 0, 2)[:, :, None]
            patches[alike] = values.transpose(1, 2, 0, 3).reshape(count, *self.shape[1:])
        if self.limits is not None:
            low, high = (np.asarray(limit)[:, None] if np.ndim(limit) else limit for limit in self.limits)
            np.clip(patches, low, high, out=patches)
        return patches


#: What is set in at windows: patches (n, S, C, h, w), or what a net makes them of.
Draws = Union[np.ndarray, Noise]
