"""Changed windows on their way through a net's maps: rectangles are cut out, pasted together and computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from torch import Tensor

from .geometry import Box
from .graph import Concat, Function, Local, Node
from .kept import UNTOUCHED, Kept
from .patches import add, cut_out, less, narrowed, paste, trimmed

#: Up to how many changed places, as a part of those that they change, a convolution is computed by their difference.
LITTLE = 0.8


@dataclass(frozen=True)
class Change:
    """What a value is now, for every window and draw: its part in the box, or all of it where there is no box."""

    values: Tensor
    box: Box | None
    owned: bool  # nothing else reads this memory


class Changes:
    """What some windows change, value by value; draws of a window share its rectangles.

    Parameters
    ----------
    kept : Kept
    boxes : {value: Box}
        What the windows change of each map; a value without a box is computed as a whole.
    count : int
        How many windows there are.
    """

    def __init__(self, kept: Kept, boxes: dict[int, Box], count: int) -> None:
        self.kept = kept
        self.boxes = boxes
        self.count = count
        self.size = 0
        self.now: dict[int, Change] = {}

    def follow(self, origins: np.ndarray, patches: Tensor) -> None:
        """Take patches (n S, C, k, k), set into the source at ``origins`` (n, 2), through the maps."""
        route = self.kept.route
        self.size = len(patches)
        self.now[route.source] = self._first(origins, patches)
        for i, node in enumerate(route.head):
            box = self.boxes.get(node.writes)
            touched = any(number in self.now for number in node.reads)
            if touched and (box is None or box.height * box.width > 0):
                little = self._little(node, box)
                step = self._step(node, box, i) if little is None else self._by_difference(node, little)
                self.now[node.writes] = step
                self.kept.count(node, self.size, box if little is None else little)
            else:
                self.kept.count(node, self.size, UNTOUCHED)
            for number in (*node.reads, node.writes):
                if route.last[number] == i:
                    self.now.pop(number, None)

    def box(self, value: int) -> Box | None:
        """Where a value has changed; None if it was computed as a whole, or has not changed."""
        change = self.now.get(value)
        return None if change is None else change.box

    def all_of(self, value: int, channels: Tensor | None = None) -> Tensor:
        """All of a value (n S, ...), or some of its channels."""
        change = self.now.get(value)
        untouched = self.kept.values[value]
        if channels is not None:
            untouched = untouched[:, channels]
            change = None if change is None else replace(change, values=change.values[:, channels])
        if change is None:
            return untouched.expand(self.size, *untouched.shape[1:])
        if change.box is None or change.values.shape[1:] == untouched.shape[1:]:
            return change.values
        corner = np.zeros(self.count, int)
        return self._canvas(untouched, change, corner, corner, (untouched.shape[2], untouched.shape[3]))

    def _first(self, origins: np.ndarray, patches: Tensor) -> Change:
        shape = self.kept.route.shape(self.kept.route.source)
        if len(shape) != 3:
            return Change(self._set_in(origins, patches, shape), None, False)
        patches = patches.to(self.kept.values[self.kept.route.source].dtype)
        box = Box(*origins.T, *patches.shape[2:])
        return Change(patches.contiguous(memory_format=self.kept.layout), box, False)

    def _set_in(self, origins: np.ndarray, patches: Tensor, shape: Sequence[int]) -> Tensor:
        """What is no map with patches set in: a vector (C,) is all patch, tokens (N, d) are one map with N rows."""
        if len(shape) != 2:
            return patches.reshape(self.size, *shape)
        untouched = self.kept.values[self.kept.route.source]
        batch = untouched.repeat(self.size, 1, 1)[:, None].contiguous()
        paste(batch, patches, *origins.T)
        return batch[:, 0]

    def _step(self, node: Node, box: Box | None, i: int) -> Change:
        if box is None or (box.height, box.width) == self.kept.route.shape(node.writes)[1:]:
            return self._as_it_is(node, [self._all(number) for number in node.reads], box, i)
        size = (box.height, box.width)
        if isinstance(node.kind, Local):
            rows, columns = node.kind.reach
            values = node.kind.cut([self._piece(node.reads[0], box, node.kind)])
            values = trimmed(values, rows.phase(box.row), columns.phase(box.column), size, self.kept.layout)
            if node.kind.scale is not None:
                means = values / self._cut(node.kind.scale, box.row, box.column, size)
                values = means.to(self.kept.values[node.writes].dtype)
            return Change(values, box, True)
        if isinstance(node.kind, Concat):
            return Change(self._concat(node, box), box, True)
        return self._as_it_is(node, [self._part(number, box.row, box.column, size) for number in node.reads], box, i)

    def _little(self, node: Node, box: Box | None) -> Box | None:
        """Where a node's input has changed, if that is so little that its difference from the image pays.

        Outputs at the edge of the change see only few changed places, so that computing the change alone takes fewer
        multiplications: torch's convolutions on a CPU skip the zeros of the padding, those on a GPU do not.
        """
        kind, change = node.kind, self.now.get(node.reads[0])
        if box is None or not isinstance(kind, Local) or kind.spread is None or not self.kept.route.share:
            return None
        if change is None or change.box is None or change.values.device.type != "cpu":
            return None
        pays = change.box.height * change.box.width <= LITTLE * box.height * box.width
        return change.box if pays else None

    def _by_difference(self, node: Node, changed: Box) -> Change:
        """What a convolution gave for the image, and what the difference from the image adds to that."""
        kind, box = cast(Local, node.kind), self.boxes[node.writes]
        values, untouched = self.now[node.reads[0]].values, self.kept.values[node.reads[0]]
        spread = cast(Function, kind.spread)([less(values, untouched, changed.row, changed.column, self.kept.layout)])
        batch = self._cut(self.kept.values[node.writes], box.row, box.column, (box.height, box.width))
        rows, columns = kind.reach
        add(batch, spread, rows.seeing(changed.row) - box.row, columns.seeing(changed.column) - box.column)
        return Change(batch, box, True)

    def _as_it_is(self, node: Node, inputs: Sequence[Change], box: Box | None, i: int) -> Change:
        """Run a node on inputs that fit it; on its first input's memory where nothing else reads that."""
        mine = inputs[0].owned and self.kept.route.last[node.reads[0]] == i and node.reads.count(node.reads[0]) == 1
        values = [change.values for change in inputs]
        if node.over is not None and mine:
            return Change(node.over(values), box, True)
        owned = node.fresh or (mine and len(inputs) == 1)
        if not owned:
            self._share(node)
        return Change(node.run(values), box, owned)

    def _share(self, node: Node) -> None:
        """Note of the values that a node reads that something else now reads their memory, too."""
        for number in node.reads:
            if number in self.now:
                self.now[number] = replace(self.now[number], owned=False)

    def _all(self, value: int) -> Change:
        change = self.now.get(value)
        values = self.all_of(value)
        return Change(values, None, change is not None and (values is not change.values or change.owned))

    def _piece(self, value: int, box: Box, kind: Local) -> Tensor:
        """The inputs that a box of a node's outputs sees, the border included."""
        rows, columns = kind.reach
        row, column = rows.origin(box.row), columns.origin(box.column)
        size = (rows.needs(box.height), columns.needs(box.width))
        border = (*columns.border, *rows.border)
        return self._part(value, row, column, size, border=border, fill=kind.fill).values

    def _part(
        self,
        value: int,
        row: np.ndarray,
        column: np.ndarray,
        size: tuple[int, int],
        *,
        border: tuple[int, int, int, int] = (0, 0, 0, 0),
        fill: float = 0.0,
    ) -> Change:
        """Rectangles of a value as it is now, window by window, at corners that may lie in the border."""
        change = self.now.get(value)
        if change is not None and change.box is not None:
            inside = narrowed(change.values, row - change.box.row, column - change.box.column, size)
            if inside is not None:
                return Change(inside, None, change.owned)
        untouched = self.kept.bordered(value, border, fill)
        return Change(self._canvas(untouched, change, row, column, size, (border[2], border[0])), None, True)

    def _canvas(
        self,
        untouched: Tensor,
        change: Change | None,
        row: np.ndarray,
        column: np.ndarray,
        size: tuple[int, int],
        border: tuple[int, int] = (0, 0),
    ) -> Tensor:
        """Rectangles of a value of the untouched image, with what has changed pasted in.

        ``border`` is how far ``untouched`` reaches beyond the map, above it and to its left.
        """
        batch = self._cut(untouched, row + border[0], column + border[1], size)
        if change is not None and change.box is not None:
            paste(batch, change.values, change.box.row - row, change.box.column - column)
        return batch

    def _cut(self, untouched: Tensor, row: np.ndarray, column: np.ndarray, size: tuple[int, int]) -> Tensor:
        """Rectangles of what is the same for all evaluations of the batch, one for each."""
        return cut_out(untouched, row, column, size, self.size // self.count, self.kept.layout)

    def _concat(self, node: Node, box: Box) -> Tensor:
        batch = self._cut(self.kept.values[node.writes], box.row, box.column, (box.height, box.width))
        first = 0
        for number in node.reads:
            last = first + self.kept.route.shape(number)[0]
            change = self.now.get(number)
            if change is not None and change.box is not None:
                paste(batch[:, first:last], change.values, change.box.row - box.row, change.box.column - box.column)
            first = last
        return batch
