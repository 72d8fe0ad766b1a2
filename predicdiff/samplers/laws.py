"""Which Gaussian a window's contents have, by the place of the window in its context, and its noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..noise import Limits, Noise
from ..windows import cut
from .conditioning import Conditional, condition


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
        self.context = mean.shape[-1]
        self._made: dict[tuple[int, int, int], Conditional] = {}

    def law(self, window: int, offset: tuple[int, int]) -> Conditional:
        """Made once for each place of a window in its context, of which there are (l - k + 1)**2, and kept."""
        key = (window, *offset)
        if key not in self._made:
            self._made[key] = condition(
                self.covariance, window=window, context=self.context, offset=offset, jitter=self.jitter
            )
        return self._made[key]

    def alike(self, offsets: np.ndarray) -> Iterator[np.ndarray]:
        """Indices of windows that lie alike in their contexts, at ``offsets`` (n, 2), so that they have one law."""
        places = self._places(offsets)
        return (np.flatnonzero(places == place) for place in np.unique(places))

    def shape(self, samples: int, window: int) -> tuple[int, int, int]:
        """S, B and W: of how many normal numbers a window's draws are made."""
        blocks = len(self.covariance)
        return samples, blocks, len(self.mean) * window**2 // blocks

    def noise(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        corners: np.ndarray,
        normal: np.ndarray,
        window: int,
        limits: Limits,
    ) -> Noise:
        """The noise of windows at ``origins`` (n, 2) in contexts at ``corners``, from normal numbers (n, S, B, W)."""
        places, laws = np.unique(self._places(origins - corners), return_inverse=True)
        found = [self.law(window, divmod(place, self.context)) for place in places.tolist()]
        means = np.empty((len(origins), *normal.shape[2:]))
        for number, law in enumerate(found):
            alike = laws == number
            means[alike] = self.means(pixels, corners[alike], law).transpose(1, 0, 2)
        return Noise(normal, means, laws, tuple(law.factor for law in found), window, limits)

    def means(self, pixels: np.ndarray, corners: np.ndarray, law: Conditional) -> np.ndarray:
        """Conditional means (B, n, W) of windows that lie alike in their contexts."""
        blocks = len(self.covariance)
        mean = self.mean.reshape(blocks, -1)
        values = cut(pixels, corners, window=self.context).reshape(len(corners), blocks, -1)
        away = values[:, :, law.outside] - mean[:, law.outside]
        means: np.ndarray = np.matmul(away.transpose(1, 0, 2), law.gain.transpose(0, 2, 1))
        return means + mean[:, None, law.inside]

    def _places(self, offsets: np.ndarray) -> np.ndarray:
        places: np.ndarray = offsets @ (self.context, 1)
        return places
