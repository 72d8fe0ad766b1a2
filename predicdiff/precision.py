"""How near a map is to the true one: that of stride 1 and infinitely many draws.

Two things keep them apart. Draws are random: their noise is carried through the weights with which windows count. And
where windows lie further apart than a pixel, what lies between them is interpolated: what that leaves out is estimated
from what the map loses when every second window is left out too, along one axis at a time, freed of the draws' noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .between import Grid
from .windows import Sides

#: Leaving out every second window, along rows and along columns, adds squared errors. Their sum, divided by this,
#: estimates the squared error that the grid itself has: the ratio was mostly 2.5 to 4 for random fields of a dozen
#: kinds, on grids of one step and of two. `make presets` holds the outcome against true maps.
LOST_OF_LEFT = 3.0
#: What is told of a reliability that nobody knows.
UNKNOWN = "unknown"
#: Windows along an axis from which that can be told.
FEWEST = 5
#: Maps that vary by less than this part of their squares have one value everywhere, but for rounding.
ROUNDING = 1e-20


class Maps(NamedTuple):
    """Maps with what is known of their errors.

    Attributes
    ----------
    relevance : (T, H, W) float64 array
    stderr : (T, H, W) float64 array
        Standard error that the draws' noise makes; NaN where one draw a window leaves it unknown.
    left_out : (T, H, W) float64 array
        Standard deviation of what interpolation leaves out, from squares averaged over the surroundings. None where
        nothing is interpolated; NaN where the grid is too small to tell, or some pixels are in no window.
    reliability : (T,) float64 array
        Estimated correlation with the true map; NaN where one of the two errors is unknown, and where windows lie so
        far apart that some pixels are in none.
    """

    relevance: np.ndarray
    stderr: np.ndarray
    left_out: np.ndarray | None
    reliability: np.ndarray | None


def interpolated(grid: Grid) -> Maps:
    """Average over all windows that cover each pixel, those between the evaluated ones interpolated linearly."""
    rows, columns = grid.weights(0), grid.weights(1)
    relevance = grid.relevance(rows, columns)
    noise = grid.variances(rows, columns)
    squares = (_lost(grid, 0, columns) + _lost(grid, 1, rows)) / LOST_OF_LEFT
    if any(np.diff(starts).max(initial=0) > side for starts, side in zip(grid.starts, grid.window)):
        squares[:] = np.nan  # nobody knows what lies in the pixels of no window
    left_out = np.sqrt(np.maximum(_around(squares, grid.window), 0.0))
    return Maps(relevance, np.sqrt(noise), left_out, reliability(relevance, noise, squares))


def reliability(relevance: np.ndarray, noise: np.ndarray, left_out: np.ndarray | float) -> np.ndarray:
    """Estimated correlation (T,) of maps (T, H, W) with the true ones.

    The error is taken to be independent of the true map: the variance of the true map is that of the map less that of
    the error, and the correlation the root of its share. Of a small error that is 1 less half of the error's share.

    Parameters
    ----------
    relevance, noise : (T, H, W) arrays
        Maps, and the variances of their noise.
    left_out : (T, H, W) array or 0
        Squares of what interpolation leaves out, which may be negative in places.

    Returns
    -------
    (T,) float64 array
        NaN where an error is known nowhere, and of a map that has one value everywhere.
    """
    left_out = np.broadcast_to(left_out, relevance.shape)
    known = np.isfinite(relevance) & np.isfinite(noise) & np.isfinite(left_out)
    count = np.maximum(known.sum(axis=(1, 2)), 1)

    def mean(values: np.ndarray) -> np.ndarray:
        average: np.ndarray = np.where(known, values, 0.0).sum(axis=(1, 2)) / count
        return average

    centre, size = mean(relevance), mean(relevance**2)
    spread = mean((relevance - centre[:, None, None]) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (mean(noise) + np.maximum(mean(left_out), 0.0)) / spread
    share[(spread <= ROUNDING * size) | ~known.any(axis=(1, 2))] = np.nan
    return np.sqrt(np.maximum(1 - share, 0.0))


def told_reliability(reliability: np.ndarray | None) -> str:
    """The lowest of several maps' with three digits, cut and not rounded, so that it is not told as higher than it is.

    >>> told_reliability(np.array([0.999, 0.98999])), told_reliability(np.array([np.nan]))
    ('0.989', 'unknown')
    """
    if reliability is None or not np.isfinite(reliability).all():
        return UNKNOWN
    return f"{np.floor(1000 * float(reliability.min())) / 1000:.3f}"


def _lost(grid: Grid, axis: int, others: np.ndarray) -> np.ndarray:
    """Squares (T, H, W) of what a map loses without every second window along an axis, freed of the draws' noise.

    They may be negative in places.
    """
    starts = grid.starts[axis]
    if np.all(np.diff(starts) == 1):
        return np.zeros((len(grid.value), *grid.shape))
    second = np.unique(np.append(np.arange(len(starts))[::2], len(starts) - 1))
    if len(starts) < FEWEST:
        return np.full((len(grid.value), *grid.shape), np.nan)
    weights = grid.weights(axis) - grid.weights(axis, second)
    rows, columns = (weights, others) if axis == 0 else (others, weights)
    return grid.relevance(rows, columns) ** 2 - grid.variances(rows, columns)


def _around(squares: np.ndarray, window: Sides) -> np.ndarray:
    """Averages (T, H, W) over the pixels within a window's sides of each that are known; NaN elsewhere."""
    rows, columns = (_near(size, side) for size, side in zip(squares.shape[1:], window))
    known = np.isfinite(squares)
    count = rows @ known @ columns.T
    with np.errstate(invalid="ignore", divide="ignore"):
        average: np.ndarray = rows @ np.where(known, squares, 0.0) @ columns.T / count
    average[~known] = np.nan
    return average


def _near(size: int, side: int) -> np.ndarray:
    """Which pixels (size, size) lie within a window's side of each, along one axis."""
    pixels = np.arange(size)
    return (np.abs(pixels - pixels[:, None]) <= side).astype(np.float64)
