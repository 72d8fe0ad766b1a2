"""How near a map is to the true one: that of stride 1 and infinitely many draws.

Two things keep them apart. Draws are random: their noise is carried through the weights with which windows count. And
where windows lie further apart than a pixel, what lies between them is interpolated: what that leaves out is estimated
from what the map loses when every second window is left out too, along one axis at a time, freed of the draws' noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .between import Grid

#: By what the squares of what a map loses without every second window, along both axes, are divided to give those of
#: what it lacks: 2.7 to 4 for random fields of many kinds, on whole and on half-refined grids; see ``make presets``.
LOST_OF_LEFT = 3.0


class Maps(NamedTuple):
    """Maps with what is known of their errors.

    Attributes
    ----------
    relevance : (T, H, W) float64 array
    stderr : (T, H, W) float64 array
        Standard error that the draws' noise makes; NaN where one draw a window leaves it unknown.
    left_out : (T, H, W) float64 array
        Standard deviation of what interpolation leaves out, from squares averaged over the surroundings; 0 at
        stride 1, NaN where the grid is too small to tell.
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
    near = [_near(*axis) for axis in zip(grid.shape, grid.window)]
    left_out = np.sqrt(np.maximum(near[0] @ squares @ near[1].T, 0.0))
    gaps = any(np.diff(starts).max(initial=0) > side for starts, side in zip(grid.starts, grid.window))
    known = np.full(len(relevance), np.nan) if gaps else reliability(relevance, noise, squares)
    return Maps(relevance, np.sqrt(noise), left_out, known)


def reliability(relevance: np.ndarray, noise: np.ndarray, left_out: np.ndarray | float) -> np.ndarray:
    """Estimated correlation (T,) of maps (T, H, W) with the true ones.

    Of an error that is small beside the map and independent of it the correlation takes half the share of its variance.

    Parameters
    ----------
    relevance, noise : (T, H, W) arrays
        Maps, and the variances of their noise.
    left_out : (T, H, W) array or 0
        Squares of what interpolation leaves out, which may be negative in places.
    """
    known = np.isfinite(relevance)
    count = known.sum(axis=(1, 2))

    def mean(squares: np.ndarray) -> np.ndarray:
        return np.where(known, squares, 0.0).sum(axis=(1, 2)) / count

    spread = mean(relevance**2) - mean(relevance) ** 2
    errors = mean(noise) + np.maximum(mean(np.broadcast_to(left_out, relevance.shape)), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = np.where(errors == 0, 1.0, 1 - errors / (2 * spread))
    return np.clip(estimate, 0.0, 1.0)


def told_reliability(value: float) -> str:
    """Three digits, cut and not rounded, so that none is told as higher than it is.

    >>> told_reliability(0.98999)
    '0.989'
    """
    return f"{np.floor(1000 * value) / 1000:.3f}"


def _lost(grid: Grid, axis: int, others: np.ndarray) -> np.ndarray:
    """Squares (T, H, W) of what a map loses without every second window along an axis, freed of the draws' noise.

    They may be negative in places.
    """
    starts = grid.starts[axis]
    if np.all(np.diff(starts) == 1):
        return np.zeros((len(grid.value), *grid.shape))
    second = np.unique(np.append(np.arange(len(starts))[::2], len(starts) - 1))
    if len(second) == len(starts):  # there are two windows, and none to leave out
        return np.full((len(grid.value), *grid.shape), np.nan)
    weights = grid.weights(axis) - grid.weights(axis, second)
    rows, columns = (weights, others) if axis == 0 else (others, weights)
    return grid.relevance(rows, columns) ** 2 - grid.variances(rows, columns)


def _near(size: int, window: int) -> np.ndarray:
    """Weights (size, size) that average over the pixels within a window's side of each, along one axis."""
    pixels = np.arange(size)
    near = np.abs(pixels - pixels[:, None]) <= window
    return near / near.sum(axis=1, keepdims=True)
