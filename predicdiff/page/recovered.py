"""The evidence of single windows, got back from the map that it was averaged into.

A file holds the map and not what each window said. Along each axis the map is a product with known weights, those of
`windows.spread` or of `between`: more pixels than windows, so that the windows' evidence follows from it, and pixels
are left over to tell whether it does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .. import between, windows
from ..errors import PredicdiffError
from ..explanation import Explanation
from ..validation import SIDES
from ..windows import Sides

#: How far a map may be from what the windows give, as a share of its largest value; rounding stays far below it.
ROUNDING = 1e-8
#: Pixels along a side of a map, beyond which the way back would take more than a second or two.
LARGEST = 1024


class Evidence(NamedTuple):
    """What each window says.

    Attributes
    ----------
    values : (T, r, c) float64 array
    rows, columns : (r,) and (c,) int arrays
        Where windows start.
    """

    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def window_of(explanation: Explanation) -> Sides | None:
    """The sides of its windows; None where it has none, or says what can be none."""
    window: Any = explanation.settings.get("window")
    if explanation.segments is not None or not SIDES.holds(window):
        return None
    lengths = windows.sides(window)
    return lengths if all(side <= size for side, size in zip(lengths, explanation.relevance.shape[1:])) else None


def evidence_of(explanation: Explanation) -> Evidence | None:
    """The windows' evidence; None where the map does not hold it: windows without a number, or made in another way."""
    window, box = window_of(explanation), _known(explanation.relevance)
    steps: Any = explanation.settings.get("stride")
    if window is None or box is None or not SIDES.holds(steps) or max(explanation.relevance.shape[1:]) > LARGEST:
        return None
    maps = np.asarray(explanation.relevance[(slice(None), *box)], np.float64)
    linear = explanation.settings.get("between") == "linear"
    try:
        axes = [_axis(*along, linear) for along in zip(maps.shape[1:], window, windows.sides(steps))]
    except PredicdiffError:  # the windows leave pixels out, or do not fit
        return None
    rows, columns = axes
    values = rows.back @ maps @ columns.back.T
    if not np.abs(rows.weights @ values @ columns.weights.T - maps).max() <= ROUNDING * np.abs(maps).max():
        return None
    return Evidence(values, rows.starts + box[0].start, columns.starts + box[1].start)


class _Axis(NamedTuple):
    """Where windows start along an axis, how much they count for pixels (size, n), and the way back (n, size)."""

    starts: np.ndarray
    weights: np.ndarray
    back: np.ndarray


@lru_cache(maxsize=8)
def _axis(size: int, side: int, step: int, linear: bool) -> _Axis:
    starts = windows.positions(size, side, step)
    if linear:
        weights = between.weights(starts, side, size)
    else:
        pixels = np.arange(size)[:, None]
        covers = (starts <= pixels) & (pixels < starts + side)
        weights = covers / covers.sum(axis=1, keepdims=True)
    return _Axis(starts, weights, np.linalg.pinv(weights))


def _known(maps: np.ndarray) -> tuple[slice, slice] | None:
    """The rectangle in which all maps (T, H, W) have numbers; None where these are no rectangle."""
    known = np.isfinite(maps).all(axis=0)
    if not known.any():
        return None
    rows, columns = (np.flatnonzero(known.any(axis=axis)) for axis in (1, 0))
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    return box if known[box].all() else None
