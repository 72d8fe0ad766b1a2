"""Segments: windows of any shape, each taken away as a whole."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np

from .. import precision, windows
from ..errors import SettingsError
from ..evidence import Difference
from ..precision import Maps
from ..protocols import Json
from ..windows import Sides
from .labels import NONE
from .region import Region


class Segments:
    """The segments of what windows lie on, those wholly in a region of it.

    A segment is known by its first pixel, row by row: that is its origin, and keys its random stream. It is set in as
    the rectangle around it, in which the other pixels stay as they are.

    Parameters
    ----------
    labels : (height, width) int array
        All places of a segment have the same number; `NONE` where there is no segment.
    region : Region

    Attributes
    ----------
    labels : (height, width) int array
        As given.
    origins : (n, 2) int array
        The segments' first pixels; those whose rectangles are about as large follow each other.

    Raises
    ------
    SettingsError
        If there is no segment.
    """

    def __init__(self, labels: np.ndarray, region: Region) -> None:
        self.labels = labels
        values, numbers = np.unique(labels, return_inverse=True)
        numbers = numbers.reshape(labels.shape)
        boxes = _rectangles(numbers, len(values))
        corner, end = np.array(region.corner), np.add(region.corner, region.size)
        inside = (boxes[..., 0] >= corner).all(axis=1) & (boxes[..., 1] <= end).all(axis=1)
        kept = np.flatnonzero(inside & (values != NONE))
        if not len(kept):
            raise SettingsError(
                "no segment lies in what the net sees, and wholly in the region if there is one: want others."
            )
        kept = kept[np.lexsort(_classes(boxes[kept]).T)]
        self._low, self._high = boxes[kept, :, 0], boxes[kept, :, 1]
        renumbered = np.full(len(values), NONE)
        renumbered[kept] = np.arange(len(kept))
        self._numbers = renumbered[numbers]
        self.origins = self._first(len(kept))

    def _first(self, count: int) -> np.ndarray:
        """The first pixel (n, 2) of each segment, row by row."""
        numbers, places = np.unique(self._numbers, return_index=True)
        return np.stack(np.unravel_index(places[numbers != NONE], self._numbers.shape), axis=1)

    @property
    def rectangular(self) -> bool:
        """No: a sampler must fill any shape."""
        return False

    @property
    def window(self) -> Sides:
        """The sides of a rectangle into which the rectangle around each fits."""
        return _sides(self._low, self._high)

    @property
    def steps(self) -> Sides:
        """One: there is nothing between segments."""
        return (1, 1)

    @property
    def extent(self) -> Sides:
        """Over how much windows step: not at all."""
        return self.window

    @cached_property
    def record(self) -> Json:
        """JSON-able, for a result's settings."""
        little = np.ascontiguousarray(self.labels, "<i8")
        digest = hashlib.sha1(f"{little.shape}".encode() + little.tobytes()).hexdigest()
        return {"segments": {"count": len(self.origins), "sha1": digest}}

    def told(self, count: int) -> str:
        """What so many are called, for sentences."""
        return f"{count} segment{'s' * (count > 1)}"

    def stepped(self, steps: Sides, *, gaps: bool = True) -> Segments:
        """Itself: nothing steps."""
        return self

    def tiles(self, origins: np.ndarray, size: int) -> list[slice]:
        """Cut segments into runs of at most ``size`` whose rectangles are about as large."""
        at = self._at(origins)
        classes = _classes(np.stack([self._low[at], self._high[at]], axis=2))
        cuts = [0, *(np.flatnonzero((np.diff(classes, axis=0) != 0).any(axis=1)) + 1).tolist(), len(at)]
        return [
            slice(first + tile.start, first + tile.stop)
            for first, last in zip(cuts, cuts[1:])
            for tile in windows.tiles(last - first, size)
        ]

    def boxes(self, origins: np.ndarray) -> tuple[np.ndarray, Sides]:
        """Rectangles of one size that hold the segments: their top-left corners (n, 2), and the size."""
        at = self._at(origins)
        size = _sides(self._low[at], self._high[at])
        return np.minimum(self._low[at], np.array(self.labels.shape) - size), size

    def masks(self, origins: np.ndarray) -> np.ndarray | None:
        """Which pixels (n, h, w) of these rectangles are the segment's."""
        corners, size = self.boxes(origins)
        numbers = windows.cut(self._numbers[None], corners, window=size)[:, 0]
        mine: np.ndarray = numbers == self._at(origins)[:, None, None]
        return mine

    def maps(self, difference: Difference, origins: np.ndarray, *, interpolates: bool) -> Maps:
        """Maps in which each pixel has its segment's value (n, T); NaN in no segment, or in one without a number."""
        at = self._at(origins)
        relevance, variance = (self._spread(part, at) for part in difference)
        return Maps(relevance, np.sqrt(variance), None, precision.reliability(relevance, variance, 0.0))

    def _spread(self, values: np.ndarray, at: np.ndarray) -> np.ndarray:
        each = np.full((len(self.origins) + 1, values.shape[1]), np.nan)  # the last is in no segment
        each[at] = np.where(np.isfinite(values), values, np.nan)
        return np.ascontiguousarray(each[self._numbers].transpose(2, 0, 1))

    def _at(self, origins: np.ndarray) -> np.ndarray:
        """Numbers (n,) of the segments with these origins."""
        return self._numbers[tuple(np.asarray(origins).T)]


def _rectangles(numbers: np.ndarray, count: int) -> np.ndarray:
    """From where to where the places of each number lie along each axis, (count, 2, 2)."""
    boxes = np.empty((count, 2, 2), int)
    for axis, places in enumerate(np.indices(numbers.shape)):
        boxes[:, axis] = numbers.shape[axis], 0
        np.minimum.at(boxes[:, axis, 0], numbers.ravel(), places.ravel())
        np.maximum.at(boxes[:, axis, 1], numbers.ravel(), places.ravel() + 1)
    return boxes


def _sides(low: np.ndarray, high: np.ndarray) -> Sides:
    return tuple((high - low).max(axis=0).tolist())


def _classes(boxes: np.ndarray) -> np.ndarray:
    """Of how many binary digits the sides (n, 2) of rectangles (n, 2, 2) are: alike where they are about as long."""
    return np.frexp((boxes[..., 1] - boxes[..., 0]).astype(float))[1]
