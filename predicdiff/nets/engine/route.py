"""Which nodes of a graph see a change, and which rectangles of their maps: all that is known before anything is run."""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from ...windows import SidesLike, sides
from . import geometry
from .geometry import Box, Rectangles, Shape, Span
from .graph import Graph, Local, Node, Whole
from .linear import linear_of_map
from .order import last_uses

#: From this share of a map on, all of it is computed: fewer calls, and no copies.
SHARE = 0.7


class Route:
    """The way from one value of a graph, in which windows are changed, to another that is asked for.

    Parameters
    ----------
    graph : Graph
    source, target : int
        Values; the second depends on the first.
    share : float
        From this share of a map on, all of it is computed; with 0, all maps are.

    Attributes
    ----------
    head : list of Node
        Those that work on maps, and what lies between them.
    tail : list of Node
        The linear layers behind.
    frontier : list of int
        The changed values that the tail reads; without a tail, the target.
    linear : LinearOfMap, optional
        The first of the tail, where it may be computed of what has changed of a map.
    last : {value: index}
        The last node of the head that needs it; of the frontier's, behind the head.
    """

    def __init__(self, graph: Graph, source: int, target: int, *, share: float = SHARE) -> None:
        self.graph, self.source, self.target, self.share = graph, source, target, share
        path = graph.path(source, target)
        end = max((i + 1 for i, node in enumerate(path) if self._works_on_maps(node)), default=0)
        self.head, self.tail = path[:end], path[end:]
        self.changed = {source, *(node.writes for node in self.head)}
        read = {number for node in self.tail for number in node.reads}
        self.frontier = sorted(read & self.changed) if self.tail else [target]
        self.linear = linear_of_map(graph, self.tail, self.frontier) if share else None
        self.last = last_uses([node.move for node in self.head])
        self.last.update((number, len(self.head)) for number in self.frontier)

    @property
    def whole_from(self) -> Node | None:
        """The first node that takes a changed map as a whole, if any; behind it all is computed as in a dense pass."""
        for node in self.head + self.tail:
            wide = any(number in self.changed and self._wide(number) for number in node.reads)
            if isinstance(node.kind, Whole) and wide:
                return node
        return None

    @property
    def values(self) -> list[int]:
        """Numbers of all values that have to be known of the untouched image."""
        numbers = {self.source, self.target}
        return sorted(numbers.union(*((*node.reads, node.writes) for node in self.head + self.tail)))

    def shape(self, value: int) -> Shape:
        """Shape of a value, without the batch axis."""
        return self.graph.shapes[value]

    def size(self, value: int) -> int:
        """Number of a value's elements."""
        return math.prod(self.shape(value))

    def rectangles(self, origins: np.ndarray, window: SidesLike) -> dict[int, Rectangles]:
        """What windows at ``origins`` (n, 2) change of each map, exactly, on the way through the head."""
        where: dict[int, Rectangles] = {}
        if len(self.shape(self.source)) == 3:
            where[self.source] = Rectangles(
                *(Span(start, start + side) for start, side in zip(origins.T, sides(window)))
            )
        for node in self.head:
            shape = self.shape(node.writes)
            if len(shape) != 3:
                continue
            changed = [number for number in node.reads if number in self.changed]
            if isinstance(node.kind, Whole) or any(number not in where for number in changed):
                where[node.writes] = geometry.everything(len(origins), (shape[1], shape[2]))
            else:
                where[node.writes] = geometry.union([where[number] for number in changed])
                if isinstance(node.kind, Local):
                    where[node.writes] = geometry.affected(where[node.writes], node.kind.reach)
        return where

    def boxes(self, where: Sequence[int], rectangles: Rectangles) -> dict[int, Box]:
        """Boxes of one size for windows that are evaluated together, from their rectangles (V, n) of V maps."""
        sizes = np.array([self.shape(value)[1:] for value in where])
        return dict(zip(where, geometry.level(rectangles, sizes, share=self.share)))

    def fixed_elements(self) -> int:
        """Elements that are kept of the untouched image, borders included, and of weights in another order."""
        bordered = sum(
            self.shape(node.reads[0])[0] * math.prod(along.length + sum(along.border) for along in node.kind.reach)
            for node in self.head
            if isinstance(node.kind, Local)
        )
        arranged = self.linear.weights if self.linear is not None else 0
        return arranged + bordered + sum(self.size(number) for number in self.values)

    def elements(self, window: SidesLike) -> int:
        """Most elements alive at one time for one evaluation, estimated from above."""
        shape = self.shape(self.source)
        room = [max(0, length - side) for length, side in zip(shape[1:], sides(window))] if len(shape) == 3 else [0, 0]
        steps = [np.unique(np.linspace(0, most, 5).astype(int)) for most in room]
        origins = np.stack(np.meshgrid(*steps), -1).reshape(-1, 2)
        where = self.rectangles(origins, window)
        boxes = self.boxes(list(where), geometry.stack(list(where.values()))) if where else {}
        live = {self.source: self._held(self.source, boxes)}
        most = sum(live.values())
        for i, node in enumerate(self.head):
            live[node.writes] = self._held(node.writes, boxes)
            most = max(most, sum(live.values()) + self._workspace(node, boxes))
            for number in {*node.reads, node.writes}:
                if self.last[number] == i:
                    live.pop(number, None)
        behind = [self.size(number) for number in self.frontier] + [self.size(node.writes) for node in self.tail]
        return most + 2 * sum(behind)

    def _works_on_maps(self, node: Node) -> bool:
        """Whether a node works on maps place by place, as a linear layer does not."""
        return not isinstance(node.kind, Whole) and any(map(self._wide, node.reads))

    def _wide(self, value: int) -> bool:
        shape = self.shape(value)
        return len(shape) == 3 and math.prod(shape[1:]) > 1

    def _held(self, value: int, boxes: dict[int, Box]) -> int:
        box = boxes.get(value)
        return self.size(value) if box is None else self.shape(value)[0] * box.height * box.width

    def _workspace(self, node: Node, boxes: dict[int, Box]) -> int:
        """Elements of the pieces that a node's inputs are cut into, twice: some convolutions want another layout.

        Or of a difference, and of what it is spread to, if these are more.
        """
        box = boxes.get(node.writes)
        if box is None or isinstance(node.kind, Whole):
            return 2 * sum(self.size(number) for number in node.reads)
        if not isinstance(node.kind, Local):
            return 2 * sum(self.shape(number)[0] for number in node.reads) * box.height * box.width
        rows, columns = node.kind.reach
        piece = self.shape(node.reads[0])[0] * rows.needs(box.height) * columns.needs(box.width)
        spare = rows.gives(box.height) * columns.gives(box.width) - box.height * box.width
        changed = boxes.get(node.reads[0])
        if node.kind.spread is None or changed is None:
            return 2 * piece + self.shape(node.writes)[0] * spare
        around = (changed.height + rows.extent - 1) * (changed.width + columns.extent - 1)
        difference = self.shape(node.reads[0])[0] * changed.height * changed.width
        return max(2 * piece, 2 * difference + self.shape(node.writes)[0] * around)
