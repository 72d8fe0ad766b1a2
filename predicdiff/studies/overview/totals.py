"""What is kept of many maps, or pictures, while they go by one after the other."""

from __future__ import annotations

import numpy as np

from ... import budget
from ...errors import ExplanationError
from ...overlays import picture
from ...tones import Tones

#: Bytes that are kept and made of each pixel.
KEPT = 120
#: A partition of the map in rows and columns, and what its places are called.
PARTS = 3
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")


class MapSums:
    """Sums over maps (H, W) of one shape, pixel by pixel; what is not finite in a map does not count there.

    The mean and the sum of squared deviations are kept as Welford did, so that nothing is lost where maps are nearly
    alike.

    References
    ----------
    B. P. Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 4(3), 1962,
    doi:10.1080/00401706.1962.10490022.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        budget.ask(KEPT * shape[0] * shape[1], f"sums of maps of {shape[0]} x {shape[1]} pixels", ExplanationError)
        self.shape = shape
        self.count = np.zeros(shape, np.int64)
        self._mean, self._squares, self._above, self._for, self._against = (np.zeros(shape) for _ in range(5))

    def add(self, values: np.ndarray) -> None:
        """Take up a map (H, W)."""
        known = np.isfinite(values)
        self.count += known
        step = np.where(known, values, self._mean) - self._mean
        self._mean += step / np.maximum(self.count, 1)
        self._squares += step * (np.where(known, values, self._mean) - self._mean)
        filled = np.where(known, values, 0.0)
        self._above += filled > 0
        self._for += np.maximum(filled, 0.0)
        self._against -= np.minimum(filled, 0.0)

    @property
    def mean(self) -> np.ndarray:
        """(H, W) float64; NaN where no map knows the pixel."""
        return np.where(self.count > 0, self._mean, np.nan)

    @property
    def spread(self) -> np.ndarray:
        """The maps' standard deviation (n - 1), (H, W) float64; NaN where fewer than two know the pixel."""
        return np.where(self.count > 1, np.sqrt(self._squares / np.maximum(self.count - 1, 1)), np.nan)

    @property
    def above(self) -> np.ndarray:
        """The part of the maps that is above zero, (H, W) float64; NaN where no map knows the pixel."""
        return np.where(self.count > 0, self._above / np.maximum(self.count, 1), np.nan)

    def others(self, values: np.ndarray) -> np.ndarray:
        """The mean of all maps but one that was taken up, (H, W) float64; NaN where there is no other."""
        rest = self.count - np.isfinite(values)
        total = self._mean * self.count - np.where(np.isfinite(values), values, 0.0)
        return np.where(rest > 0, total / np.maximum(rest, 1), np.nan)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Parts of all evidence for, and of all against, that lie in each of 3 x 3 places: two (3, 3) float64 arrays.

        NaN where there is none.
        """
        return _shares(self._for), _shares(self._against)


class PictureSums:
    """The mean of pictures, as the net saw them."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._sum, self._count = np.zeros((*shape, 3)), 0

    def add(self, pixels: np.ndarray, tones: Tones) -> None:
        """Take up pixels (C, H, W)."""
        self._sum += picture(pixels, tones=tones)
        self._count += 1

    @property
    def mean(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        return np.rint(self._sum / max(self._count, 1)).astype(np.uint8)


def _shares(evidence: np.ndarray) -> np.ndarray:
    """The part of the sum that lies in each place."""
    total = evidence.sum()
    rows, columns = ([round(size * part / PARTS) for part in range(PARTS + 1)] for size in evidence.shape)
    sums = [
        [evidence[top:bottom, left:right].sum() for left, right in zip(columns, columns[1:])]
        for top, bottom in zip(rows, rows[1:])
    ]
    return np.array(sums) / total if total > 0 else np.full((PARTS, PARTS), np.nan)
