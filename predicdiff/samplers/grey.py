"""Nothing drawn: the same grey, or another colour, in every window."""

from __future__ import annotations

from copy import copy
from typing import Any, Sequence, Union

import numpy as np

from ..errors import InputWarning, SamplerError, SettingsError, warn
from ..files import Kind
from ..protocols import Json
from ..tones import Tones, tones_of
from ..windows import SidesLike, sides
from .saved import Parts, SavedSampler

#: One value, or one for each channel.
Value = Union[float, Sequence[float]]


class GreyPatch(SavedSampler):
    """A sampler that puts the same value into every window.

    Parameters
    ----------
    value : float, one for each channel, or None
        In pixels, or in activations of a hidden blob. None is the grey of what the windows lie on: 127.5 where a net's
        preprocessing takes pixels of 0 to 255, 0 in a hidden blob, otherwise by the image's values, see
        `tones.tones_of`.
    """

    file = Kind("grey sampler", 1, "GreyPatch(127.5).save('{path}')", SamplerError)
    most_draws = 1
    drawn_by_threads = True

    def __init__(self, value: Value | None = None) -> None:
        self.value = value

    @property
    def notes(self) -> list[str]:
        """What stood in the windows, and that it was not drawn."""
        value = "" if self.value is None else f" of {self._values().tolist()}"
        return [f"Every window was covered with one grey patch{value}: nothing is drawn, and the standard error is 0."]

    def among(self, tones: Tones) -> GreyPatch:
        """Itself, with these values' grey where it has none of its own; warns of one that lies far outside of them."""
        if self.value is None:
            patch = copy(self)
            patch.value = tones.grey
            return patch
        if tones.far(self._values()):
            warn(
                f"the grey of {self.value} lies far outside of the values that it covers, which go from "
                f"{tones.black:.5g} to {tones.white:.5g}: give another, or none, which is then {tones.grey:.5g}.",
                InputWarning,
            )
        return self

    def population(self, pixels: np.ndarray) -> int:
        """None: there is no corpus to draw from, and nothing is left to chance."""
        return 0

    @property
    def provenance(self) -> Json:
        """JSON-able. The value is None where the patch has none of its own; an analysis' result says which it took."""
        return {"kind": "grey", **self.parts()[1]}

    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """Patches (n, 1, C, h, w) float32 of the one value; ``samples`` and ``seed`` change nothing.

        Without a value, and outside of an analysis, it is the grey of the pixels' own values.
        """
        patch = self.among(tones_of(pixels)) if self.value is None else self
        values = patch._values().reshape(-1, 1, 1)
        if len(values) not in (1, len(pixels)):
            raise SettingsError(f"grey has {len(values)} values: want one, or one for each of {len(pixels)} channels.")
        return np.broadcast_to(values, (len(origins), 1, len(pixels), *sides(window))).astype(np.float32)

    def fill(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int, keys: np.ndarray
    ) -> np.ndarray:
        """As `draw`: ``keys`` change nothing."""
        return self.draw(pixels, origins, window=window, samples=samples, seed=seed)

    def parts(self) -> Parts:
        """The value, or None."""
        return {}, {"value": None if self.value is None else self._values().tolist()}

    @classmethod
    def from_parts(cls, parts: dict[str, Any]) -> GreyPatch:
        """The sampler of what `parts` gave."""
        patch = cls(parts["value"])
        if patch.value is not None:
            patch._values()  # which refuses what is no number
        return patch

    def _values(self) -> np.ndarray:
        try:
            values = np.asarray(self.value, np.float64)
        except (TypeError, ValueError):
            values = np.array(np.nan)
        if values.ndim > 1 or not (np.abs(values) <= np.finfo(np.float32).max).all():
            raise SettingsError(f"grey = {self.value!r}: want a number, or one for each channel.")
        return values
