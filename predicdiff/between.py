"""What windows say of pixels when their evidence is interpolated to all places between them.

A window's evidence is a smooth function of its place. With a step between windows, `windows.spread` averages over those
that were evaluated, and the map has edges where windows end. Here evidence is interpolated linearly to every place,
and then averaged as if all windows had been evaluated. Both are sums with weights, along one axis after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import SettingsError
from .evidence import Difference
from .windows import Sides

#: What may be done between windows: nothing, or linear interpolation.
BETWEEN = ("none", "linear")


@dataclass(frozen=True, eq=False)
class Grid:
    """Windows' evidence, ready to be interpolated to all places.

    Attributes
    ----------
    value, variance : (T, r, c) float64 array
    starts : tuple of int arrays
        Rows (r,) and columns (c,) where windows start, ascending.
    window : (rows, columns)
    shape : (height, width) of the image
    """

    value: np.ndarray
    variance: np.ndarray
    starts: tuple[np.ndarray, ...]
    window: Sides
    shape: tuple[int, ...]

    @classmethod
    def of(cls, difference: Difference, origins: np.ndarray, *, window: Sides, shape: tuple[int, ...]) -> Grid:
        """Of values and variances (n, T) of the windows at ``origins`` (n, 2), a whole grid, row by row."""
        starts = tuple(np.unique(column) for column in origins.T)
        sizes = [len(places) for places in starts]
        if len(origins) != np.prod(sizes):
            raise SettingsError("windows are interpolated between on a whole grid alone: want all its places.")
        value, variance = (np.moveaxis(part.reshape(*sizes, -1), 2, 0) for part in difference)
        return cls(value, variance, starts, window, shape)

    def weights(self, axis: int, kept: np.ndarray | None = None) -> np.ndarray:
        """How much each window counts for each pixel along one axis, (size, n); 0 for those that are not ``kept``."""
        starts = self.starts[axis]
        every = np.arange(len(starts)) if kept is None else kept
        counts = np.zeros((self.shape[axis], len(starts)))
        counts[:, every] = weights(starts[every], self.window[axis], self.shape[axis])
        return counts

    def relevance(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Maps (T, H, W) with these weights; NaN where a window without a number counts."""
        return _summed(self.value, rows, columns)

    def variances(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Variances (T, H, W) of these maps, the draws of different windows being independent."""
        return _summed(self.variance, rows**2, columns**2)


def weights(starts: np.ndarray, window: int, size: int) -> np.ndarray:
    """How much each window counts for each pixel along one axis, (size, n); rows add up to 1.

    Parameters
    ----------
    starts : (n,) int array
        Where windows start, ascending, from 0 to ``size - window``.

    Examples
    --------
    Windows of 2 pixels at 0 and 2 of 4; the one at 1, between them, is half of each:

    >>> weights(np.array([0, 2]), 2, 4)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """
    places = np.arange(size - window + 1)
    between = np.stack([np.interp(places, starts, one) for one in np.eye(len(starts))], axis=1)
    pixels = np.arange(size)[:, None]
    covers = (places <= pixels) & (pixels < places + window)
    return covers @ between / covers.sum(axis=1, keepdims=True)


def _summed(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    missing = ~np.isfinite(values)
    total = rows @ np.where(missing, 0.0, values) @ columns.T
    if missing.any():
        total[np.abs(rows) @ missing @ np.abs(columns).T > 0] = np.nan
    return total
