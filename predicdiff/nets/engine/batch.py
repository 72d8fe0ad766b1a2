"""A batch of changed windows on its way through a net's maps: rectangles are cut out, pasted together and computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from .geometry import Box
from .graph import CONCAT, Node
from .patches import cut_out, narrowed, paste

if TYPE_CHECKING:
    from .incremental import Incremental

#: The box of a map that no change reaches.
NOTHING = Box(np.zeros(0, int), np.zeros(0, int), 0, 0)


@dataclass(frozen=True)
class Patch:
    """What has changed of a value: its part in the box, for every window and draw, or all of it where there is none."""

    values: Tensor
    box: Box | None
    owned: bool  # nothing else reads this memory


class Batch:
    """Some windows' way through the maps; draws of a window share its rectangles."""

    def __init__(self, engine: Incremental, boxes: dict[int, Box], count: int) -> None:
        self.engine = engine
        self.boxes = boxes
        self.count = count
        self.size = 0
        self.patches: dict[int, Patch] = {}

    def run(self, origins: np.ndarray, changed: Tensor) -> None:
        """Follow changed windows (n S, C, h, w) of the source, set in at ``origins`` (n, 2), through the maps."""
        route = self.engine.route
        self.size = len(changed)
        self.patches[route.source] = self._first(origins, changed)
        for i, node in enumerate(route.head):
            box = self.boxes.get(node.writes)
            touched = any(number in self.patches for number in node.reads)
            if touched and (box is None or box.height * box.width > 0):
                self.patches[node.writes] = self._step(node, box, i)
                self.engine.count(node, self.size, box)
            else:
                self.engine.count(node, self.size, NOTHING)
            for number in (*node.reads, node.writes):
                if route.last[number] == i:
                    self.patches.pop(number, None)

    def whole(self, value: int, channels: Tensor | None = None) -> Tensor:
        """All of a value (n S, ...), or some of its channels."""
        patch = self.patches.get(value)
        base = self.engine.base[value]
        if channels is not None:
            base = base[:, channels]
            patch = None if patch is None else replace(patch, values=patch.values[:, channels])
        if patch is None:
            return base.expand(self.size, *base.shape[1:])
        if patch.box is None or patch.values.shape[1:] == base.shape[1:]:
            return patch.values
        corner = np.zeros(self.count, int)
        return self._canvas(base, patch, corner, corner, (base.shape[2], base.shape[3]))

    def _first(self, origins: np.ndarray, changed: Tensor) -> Patch:
        engine = self.engine
        shape = engine.route.shape(engine.route.source)
        if len(shape) != 3:
            return Patch(changed.reshape(self.size, *shape), None, False)
        box = Box(*origins.T, *changed.shape[2:])
        return Patch(changed.contiguous(memory_format=engine.layout), box, False)

    def _step(self, node: Node, box: Box | None, i: int) -> Patch:
        if box is None or (box.height, box.width) == self.engine.route.shape(node.writes)[1:]:
            return self._pointwise(node, [self._all(number) for number in node.reads], box, i)
        size = (box.height, box.width)
        if node.reach is not None and node.cut is not None:
            piece = self._piece(node.reads[0], box, node)
            values = node.cut([piece])
            if node.scale is not None:
                samples = self.size // self.count
                values = values / cut_out(node.scale, box.row, box.column, size, samples, self.engine.layout)
            return Patch(values, box, True)
        if node.kind == CONCAT:
            return Patch(self._concat(node, box), box, True)
        return self._pointwise(node, [self._part(number, box.row, box.column, size) for number in node.reads], box, i)

    def _pointwise(self, node: Node, inputs: Sequence[Patch], box: Box | None, i: int) -> Patch:
        """Run a node as it is; on its first input's memory where that is nobody else's."""
        mine = inputs[0].owned and self.engine.route.last[node.reads[0]] == i and node.reads.count(node.reads[0]) == 1
        values = [patch.values for patch in inputs]
        if node.over is not None and mine:
            return Patch(node.over(values), box, True)
        owned = node.fresh or (mine and len(inputs) == 1)
        if not owned:
            self._share(node)
        return Patch(node.run(values), box, owned)

    def _share(self, node: Node) -> None:
        """From now on others read the memory of what a node reads."""
        for number in node.reads:
            if number in self.patches:
                self.patches[number] = replace(self.patches[number], owned=False)

    def _all(self, value: int) -> Patch:
        patch = self.patches.get(value)
        values = self.whole(value)
        return Patch(values, None, patch is not None and (values is not patch.values or patch.owned))

    def _piece(self, value: int, box: Box, node: Node) -> Tensor:
        """The inputs that a box of a local node's outputs sees, the border included."""
        rows, columns = node.reach  # type: ignore[misc]
        row, column = rows.origin(box.row), columns.origin(box.column)
        size = (rows.needs(box.height), columns.needs(box.width))
        border = (columns.before, columns.after, rows.before, rows.after)
        return self._part(value, row, column, size, border=border, fill=node.fill).values

    def _part(
        self,
        value: int,
        row: np.ndarray,
        column: np.ndarray,
        size: tuple[int, int],
        *,
        border: tuple[int, int, int, int] = (0, 0, 0, 0),
        fill: float = 0.0,
    ) -> Patch:
        """Rectangles of a value as it is now, window by window, at corners that may lie in the border."""
        patch = self.patches.get(value)
        if patch is not None and patch.box is not None:
            inside = narrowed(patch.values, row - patch.box.row, column - patch.box.column, size)
            if inside is not None:
                return Patch(inside, None, patch.owned)
        base = self.engine.bordered(value, border, fill)
        return Patch(self._canvas(base, patch, row, column, size, (border[2], border[0])), None, True)

    def _canvas(
        self,
        base: Tensor,
        patch: Patch | None,
        row: np.ndarray,
        column: np.ndarray,
        size: tuple[int, int],
        border: tuple[int, int] = (0, 0),
    ) -> Tensor:
        """What the image gives, with what has changed pasted in; a border lies above and to the left of ``base``."""
        batch = cut_out(base, row + border[0], column + border[1], size, self.size // self.count, self.engine.layout)
        if patch is not None and patch.box is not None:
            paste(batch, patch.values, patch.box.row - row, patch.box.column - column)
        return batch

    def _concat(self, node: Node, box: Box) -> Tensor:
        engine = self.engine
        batch = cut_out(
            engine.base[node.writes],
            box.row,
            box.column,
            (box.height, box.width),
            self.size // self.count,
            engine.layout,
        )
        first = 0
        for number in node.reads:
            last = first + engine.route.shape(number)[0]
            patch = self.patches.get(number)
            if patch is not None and patch.box is not None:
                paste(batch[:, first:last], patch.values, patch.box.row - box.row, patch.box.column - box.column)
            first = last
        return batch
