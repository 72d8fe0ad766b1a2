"""Nothing drawn: the same grey, or another colour, in every window."""

from __future__ import annotations

from typing import Any, Sequence, Union

import numpy as np

from ..errors import SamplerError, SettingsError
from ..files import Kind
from ..protocols import Json
from ..windows import SidesLike, sides
from .saved import Parts, SavedSampler

#: One value, or one for each channel.
Value = Union[float, Sequence[float]]


class GreyPatch(SavedSampler):
    """A sampler that puts the same value into every window, in pixels: one number, or one for each channel."""

    file = Kind("grey sampler", 1, "GreyPatch(127.5).save('{path}')", SamplerError)
    most_draws = 1
    notes = ("Every window was covered with one grey patch: nothing is drawn, and the standard error is 0.",)

    def __init__(self, value: Value = 127.5) -> None:
        self.value = value

    def population(self, pixels: np.ndarray) -> int:
        """None: there is no corpus to draw from, and nothing is left to chance."""
        return 0

    @property
    def provenance(self) -> Json:
        """JSON-able."""
        return {"kind": "grey", "value": self._values().tolist()}

    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """Patches (n, 1, C, h, w) float32 of the one value; ``samples`` and ``seed`` change nothing."""
        values = self._values().reshape(-1, 1, 1)
        if len(values) not in (1, len(pixels)):
            raise SettingsError(f"grey has {len(values)} values: want one, or one for each of {len(pixels)} channels.")
        return np.broadcast_to(values, (len(origins), 1, len(pixels), *sides(window))).astype(np.float32)

    def parts(self) -> Parts:
        """The value."""
        return {}, {"value": self._values().tolist()}

    @classmethod
    def from_parts(cls, parts: dict[str, Any]) -> GreyPatch:
        """The sampler of what `parts` gave."""
        return cls(parts["value"])

    def _values(self) -> np.ndarray:
        try:
            values = np.asarray(self.value, np.float64)
        except (TypeError, ValueError):
            values = np.array(np.nan)
        if values.ndim > 1 or not (np.abs(values) <= np.finfo(np.float32).max).all():
            raise SettingsError(f"grey = {self.value!r}: want a number, or one for each channel.")
        return values
