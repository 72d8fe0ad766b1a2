"""What windows say of pixels when their evidence is interpolated to all places between them.

A window's evidence is a smooth function of its place. With a step between windows, `windows.spread` averages over those
that were evaluated, and the map has edges where windows end. Here evidence is interpolated linearly to every place,
and then averaged as if all windows had been evaluated. Both are sums with weights, along one axis after the other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import SettingsError
from .evidence import Difference
from .windows import Sides

#: What may be done between windows: nothing, or linear interpolation.
BETWEEN = ("none", "linear")


class Spread(NamedTuple):
    """Maps (T, H, W) and their standard errors."""

    relevance: np.ndarray
    stderr: np.ndarray


def interpolated(difference: Difference, origins: np.ndarray, *, window: Sides, shape: tuple[int, ...]) -> Spread:
    """Average over all windows that cover each pixel, those between the evaluated ones interpolated linearly.

    Parameters
    ----------
    difference : Difference
        Values and variances (n, T) of the windows.
    origins : (n, 2) int array
        A whole grid, row by row, as `windows.grid` gives it.
    window : (rows, columns)
    shape : (height, width) of the image

    Returns
    -------
    Spread
        NaN where a window without a number counts. The standard error is that of the windows' draws, which are
        independent; what interpolation leaves out is not in it.
    """
    starts = [np.unique(column) for column in origins.T]
    rows, columns = (weights(*axis) for axis in zip(starts, window, shape))
    if len(origins) != len(starts[0]) * len(starts[1]):
        raise SettingsError("windows are interpolated between on a whole grid alone: want all its places.")

    def summed(values: np.ndarray, power: int) -> np.ndarray:
        grid = np.moveaxis(values.reshape(len(starts[0]), len(starts[1]), -1), 2, 0)
        missing = ~np.isfinite(grid)
        total = rows**power @ np.where(missing, 0.0, grid) @ columns.T**power
        total[rows @ missing @ columns.T > 0] = np.nan
        return total

    return Spread(summed(difference.value, 1), np.sqrt(summed(difference.variance, 2)))


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
