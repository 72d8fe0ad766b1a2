"""The values of the untouched image, kept for all its changes, and an account of the multiply-adds done."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .geometry import Box
from .graph import Node, Whole
from .route import Route

#: Held while an account is added to another, which several threads may share.
_lock = threading.Lock()

#: The box of a map that no change reaches.
UNTOUCHED = Box(np.zeros(0, int), np.zeros(0, int), 0, 0)


@dataclass
class Work:
    """Multiply-adds done, and how many dense passes would have taken."""

    done: float = 0.0
    dense: float = 0.0

    def add(self, more: Work) -> None:
        """Add what another account counted, in whichever thread."""
        with _lock:
            self.done += more.done
            self.dense += more.dense


class Kept:
    """All that the untouched image gives on a route, computed once.

    Parameters
    ----------
    route : Route
    inputs : (1, C, H, W) tensor
        The image as the net takes it.
    layout : torch.memory_format
        In which batches of maps lie in memory.

    Attributes
    ----------
    values : {value: (1, ...) tensor}
    work : Work
    """

    def __init__(self, route: Route, inputs: Tensor, *, layout: torch.memory_format) -> None:
        self.route, self.layout = route, layout
        self.values = route.graph.run(inputs, route.values)
        self.work = Work()
        self._bordered: dict[tuple[int, tuple[int, ...], float], Tensor] = {}

    def bordered(self, value: int, border: tuple[int, int, int, int], fill: float) -> Tensor:
        """A value with ``fill`` (left, right, above, below) around it; kept too."""
        if not any(border):
            return self.values[value]
        key = (value, border, fill)
        if key not in self._bordered:
            self._bordered[key] = functional.pad(self.values[value], border, value=fill)
        return self._bordered[key]

    def count(self, node: Node, inputs: int, box: Box | None, *, share: float = 1.0) -> None:
        """Keep account of the multiply-adds of a node for a batch of inputs, of a box or of all of its map.

        ``share`` is the part that is done of those at each place.
        """
        whole = isinstance(node.kind, Whole)
        places = 1 if whole else math.prod(self.route.shape(node.writes)[1:])
        part = places if box is None or (whole and box is not UNTOUCHED) else box.height * box.width
        self.work.dense += (node.work + node.spared) * inputs * places
        self.work.done += node.work * inputs * part * share
