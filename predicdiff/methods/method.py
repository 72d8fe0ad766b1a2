"""What a method for maps is, to all that compare methods with each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Mapping

import numpy as np

from ..errors import SettingsError
from ..protocols import Net, Unit

#: (net, pixels (C, H, W), unit, seed) -> map (H, W), the larger the more relevant.
MapFunction = Callable[[Net, np.ndarray, Unit, int], np.ndarray]


@dataclass(frozen=True)
class Method:
    """A way to make a map, with its name.

    Attributes
    ----------
    name : str
    function : callable
        (net, pixels, unit, seed, **needed) -> map (H, W), of the net's probabilities or of its scores.
    needs : tuple of str
        What it is given by keyword: some of "sampler", "window", "samples", "stride", "blob" and "memory".
    """

    name: str
    function: Callable[..., np.ndarray]
    needs: tuple[str, ...] = ()

    def ready(self, settings: Mapping[str, Any]) -> MapFunction:
        """The function with what it needs of ``settings``; a SettingsError if that is a sampler and there is none."""
        needed = {name: settings[name] for name in self.needs}
        if needed.get("sampler", self) is None:
            raise SettingsError(f"{self.name!r} wants a sampler: give a GaussianSampler or a MarginalSampler.")
        return partial(self.function, **needed)
