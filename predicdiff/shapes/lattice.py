"""Rectangular windows, a step apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import precision, windows
from ..between import Grid
from ..evidence import Difference
from ..precision import Maps
from ..protocols import Json
from ..windows import Sides
from .region import Region


@dataclass(frozen=True, eq=False)
class Lattice:
    """Windows of one size, a step apart, in all of what they lie on or in a region of it.

    Attributes
    ----------
    shape : (height, width)
        Of what windows lie on.
    region : Region
        Where in it: no window reaches beyond.
    window, steps : (rows, columns)
    gaps : bool
        Whether pixels may lie in no window.
    """

    shape: tuple[int, ...]
    region: Region
    window: Sides
    steps: Sides
    gaps: bool

    @cached_property
    def origins(self) -> np.ndarray:
        """Top-left corners (n, 2) of the windows, row by row."""
        places = windows.grid(self.region.size, window=self.window, stride=self.steps, gaps=self.gaps)
        return places + np.array(self.region.corner)

    @property
    def extent(self) -> Sides:
        """Over how much windows step."""
        return self.region.size

    @property
    def rectangular(self) -> bool:
        """Yes: samplers that draw rectangles serve."""
        return True

    @property
    def labels(self) -> np.ndarray | None:
        """None: rectangles need no numbers."""
        return None

    @property
    def record(self) -> Json:
        """JSON-able, for a result's settings."""
        return {"window": windows.recorded(self.window), "stride": windows.recorded(self.steps)}

    def told(self, count: int) -> str:
        """What so many are called, for sentences."""
        return f"{count} windows of {windows.by(self.window)}"

    def stepped(self, steps: Sides, *, gaps: bool = True) -> Lattice:
        """The same with other steps between windows."""
        return replace(self, steps=steps, gaps=gaps)

    def tiles(self, origins: np.ndarray, size: int) -> list[slice]:
        """Cut windows into runs of at most ``size``."""
        return windows.tiles(len(origins), size)

    def boxes(self, origins: np.ndarray) -> tuple[np.ndarray, Sides]:
        """Rectangles of one size that hold the windows: their top-left corners (n, 2), and the size."""
        return origins, self.window

    def masks(self, origins: np.ndarray) -> np.ndarray | None:
        """Which pixels of these rectangles are the window's: None, all of them."""
        return None

    def maps(self, difference: Difference, origins: np.ndarray, *, interpolates: bool) -> Maps:
        """Maps of the values and variances (n, T) of the windows at ``origins`` (n, 2); NaN outside of the region."""
        where: dict[str, Any] = {"window": self.window, "shape": self.region.size}
        inside = origins - np.array(self.region.corner)
        if interpolates:
            maps = precision.interpolated(Grid.of(difference, inside, **where))
        else:
            relevance = windows.spread(difference.value, inside, **where)
            stderr = windows.spread_error(difference.variance, inside, **where)
            # with steps above 1 nobody knows what lies between the windows
            known = None if max(self.steps) > 1 else precision.reliability(relevance, stderr**2, 0.0)
            maps = Maps(relevance, stderr, None, known)
        left_out = None if maps.left_out is None else self._whole(maps.left_out)
        return Maps(self._whole(maps.relevance), self._whole(maps.stderr), left_out, maps.reliability)

    def _whole(self, values: np.ndarray) -> np.ndarray:
        return self.region.set_in(values, self.shape)
