"""A linear layer behind maps, computed of what windows have changed of them: fewer weights to read, fewer products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .geometry import Box, Shape
from .graph import Graph, Kernel, Node, Whole

#: Weights of layers for which it pays: in smaller ones there is nothing to gain, of larger ones a copy is too dear.
LEAST, MOST = 2**20, 2**26
#: Up to which share of the map's places the difference takes less time than all of it.
LITTLE = 0.65


@dataclass(frozen=True)
class LinearOfMap:
    """A linear layer, and the map that it reads place by place.

    Attributes
    ----------
    node : Node
    kernel : Kernel
        The node's.
    value : int
        The map.
    shape : (C, H, W)
        The map's.
    """

    node: Node
    kernel: Kernel
    value: int
    shape: Shape

    @property
    def weights(self) -> int:
        """How many weights are arranged by places."""
        return self.node.work

    def adds(self, maps: Tensor, untouched: Tensor, given: Tensor, box: tuple[slice, slice]) -> Tensor:
        """What the layer gives for maps (b, C, H, W) that differ from one (1, C, H, W) in a box alone.

        ``given`` (1, out) is what it gives for that one.
        """
        weight, (rows, columns) = self._by_places(), box
        difference = (maps[:, :, rows, columns] - untouched[:, :, rows, columns]).permute(2, 0, 3, 1)
        values = given.flatten(1).repeat(len(maps), 1)
        for row, changed in zip(range(rows.start, rows.stop), difference):
            values.addmm_(changed.flatten(1), weight[:, row, columns].flatten(1).t())
        return values

    def _by_places(self) -> Tensor:
        """Weights (out, H, W, C); a copy that is kept as long as the weights stay what they are."""
        key, arranged = (self.kernel.state(), self.shape), self.kernel.arranged
        by_places = arranged.get(key)
        if by_places is None:
            weight, _ = self.kernel.weights()
            by_places = weight.detach().unflatten(1, self.shape).permute(0, 2, 3, 1).contiguous()
            arranged.clear()
            arranged[key] = by_places
        return by_places


def linear_of_map(graph: Graph, tail: Sequence[Node], frontier: Sequence[int]) -> LinearOfMap | None:
    """The first of the last layers, if it is a linear one that takes all of the only map before it, and pays."""
    if len(frontier) != 1 or len(graph.shapes[frontier[0]]) != 3:
        return None
    (value,) = frontier
    number = value
    for node in tail:
        if node.reads != (number,) or sum(number in other.reads for other in tail) != 1:
            return None
        if not node.flat:
            linear = isinstance(node.kind, Whole) and len(graph.shapes[node.writes]) == 1
            if node.kernel is None or not linear or not LEAST <= node.work <= MOST:
                return None
            return LinearOfMap(node, node.kernel, value, graph.shapes[value])
        number = node.writes
    return None


def union(boxes: Sequence[Box]) -> tuple[slice, slice]:
    """The smallest rectangle that holds all of these."""
    rows, columns = np.concatenate([box.row for box in boxes]), np.concatenate([box.column for box in boxes])
    bottom = max(int(box.row.max()) + box.height for box in boxes)
    right = max(int(box.column.max()) + box.width for box in boxes)
    return slice(int(rows.min()), bottom), slice(int(columns.min()), right)
