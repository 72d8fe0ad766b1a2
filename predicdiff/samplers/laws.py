"""Which Gaussian a window's contents have, by the place of the window in its context, and its noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..noise import Limits, Means, Noise
from ..sums import BESIDE, UNIT, dot, finer, products
from ..windows import Sides, cut
from .conditioning import Conditional, condition


@dataclass(frozen=True)
class ConditionalMeans(Means):
    """Means ``centre + gain @ away`` of windows that lie alike in their contexts.

    Attributes
    ----------
    away : (n, B, D - W) float64 array
        How far the values around each window are from their own means.
    gain : (B, W, D - W) float64 array
    centre : (B, W) float64 array
    """

    away: np.ndarray
    gain: np.ndarray
    centre: np.ndarray

    def finer(self, windows: np.ndarray, block: int, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Some of them (m,), each with a doubt of a few roundings, and these; draws of one window share its means."""
        size = self.centre.shape[1]
        pairs, which = np.unique(windows * size + values, return_inverse=True)
        own, at = np.divmod(pairs, size)
        sums, doubts = finer(self.away[own, block], self.gain[block, at])
        means = sums + self.centre[block, at]
        doubts += BESIDE * UNIT * np.abs(means)
        return means[which], doubts[which]

    def exactly(self, window: int, block: int, value: int) -> float:
        """One of them, rounded once."""
        return dot(self.gain[block, value], self.away[window, block], beside=float(self.centre[block, value]))


class Laws:
    """A Gaussian over contexts, conditioned for windows.

    Parameters
    ----------
    mean : (C, l, l) float64 array
    covariance : (B, D, D) float64 array
    jitter : float
        Added to the diagonal.
    """

    def __init__(self, mean: np.ndarray, covariance: np.ndarray, jitter: float) -> None:
        self.mean, self.covariance, self.jitter = mean, covariance, jitter
        self.context: Sides = mean.shape[1:]
        self._kept: dict[tuple[Sides, tuple[int, ...]], Conditional] = {}

    def law(self, window: Sides, offset: tuple[int, ...]) -> Conditional:
        """The law of a window at this offset in its context; each of the (l - k + 1)**2 is made once and kept."""
        key = (window, offset)
        if key not in self._kept:
            self._kept[key] = condition(
                self.covariance, window=window, context=self.context, offset=offset, jitter=self.jitter
            )
        return self._kept[key]

    def alike(self, offsets: np.ndarray) -> Iterator[np.ndarray]:
        """Indices of windows that lie alike in their contexts, at ``offsets`` (n, 2), so that they have one law."""
        places = self._places(offsets)
        return (np.flatnonzero(places == place) for place in np.unique(places))

    def shape(self, samples: int, window: Sides) -> tuple[int, int, int]:
        """S, B and W: of how many normal numbers a window's draws are made."""
        blocks = len(self.covariance)
        return samples, blocks, len(self.mean) * math.prod(window) // blocks

    def noise(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        corners: np.ndarray,
        normal: np.ndarray,
        window: Sides,
        limits: Limits,
    ) -> Noise:
        """The noise of windows at ``origins`` (n, 2) in contexts at ``corners``, from normal numbers (n, S, B, W)."""
        places, laws = np.unique(self._places(origins - corners), return_inverse=True)
        offsets = zip(*(place.tolist() for place in np.unravel_index(places, self.context)))
        chosen = [self.law(window, offset) for offset in offsets]
        means = np.empty((len(origins), *normal.shape[2:]))
        for number, law in enumerate(chosen):
            alike = laws == number
            means[alike] = self.means(pixels, corners[alike], law).values
        return Noise(normal, means, laws, tuple(law.factor for law in chosen), window, limits)

    def means(self, pixels: np.ndarray, corners: np.ndarray, law: Conditional) -> ConditionalMeans:
        """Conditional means of windows that lie alike in their contexts."""
        blocks = len(self.covariance)
        mean = self.mean.reshape(blocks, -1)
        values = cut(pixels, corners, window=self.context).reshape(len(corners), blocks, -1)
        away, centre = values[:, :, law.outside] - mean[:, law.outside], mean[:, law.inside]
        means, doubts = np.empty((2, len(corners), *centre.shape))
        for block, gain in enumerate(law.gain):
            means[:, block], doubts[:, block] = products(away[:, block], gain)
        means += centre
        return ConditionalMeans(means, doubts, away, law.gain, centre)

    def _places(self, offsets: np.ndarray) -> np.ndarray:
        """A number for each place in the context."""
        return np.asarray(np.ravel_multi_index(tuple(offsets.T), self.context))
