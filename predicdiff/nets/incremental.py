"""Exact evaluation of one image with many small changes: of every blob only the rectangle that a change reaches.

What the image gives is computed once and kept. For each layer, the rectangle of inputs that its changed outputs see is
cut out of what was kept, what has changed is pasted in, and that alone is computed. Which rectangles these are, `route`
says; where one has grown to nearly the whole map, the whole map is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Tuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from . import geometry
from .geometry import Box, Rectangles
from .graph import CONCAT, WHOLE, Node
from .patches import cut_out, narrowed, paste
from .route import Route

#: Vectors up to this long are collected before linear layers, which read all their weights for every batch.
SMALL = 2**15
#: How many are collected at most.
COLLECTED = 160

#: The box of a map that no change reaches.
NOTHING = Box(np.zeros(0, int), np.zeros(0, int), 0, 0)

Chunk = Tuple[np.ndarray, slice]


@dataclass
class Work:
    """Multiply-adds done, and how many dense passes would have taken."""

    done: float = 0.0
    dense: float = 0.0

    @property
    def share(self) -> float:
        """What was done, over what dense passes would have taken."""
        return self.done / self.dense if self.dense else 1.0

    def add(self, more: Work) -> None:
        """Count another's too."""
        self.done += more.done
        self.dense += more.dense


class Incremental:
    """One image, of which many small changes are evaluated.

    Parameters
    ----------
    route : Route
    inputs : (1, C, H, W) tensor
        The image as the net takes it.
    layout : torch.memory_format
        In which batches of maps lie in memory.
    """

    def __init__(self, route: Route, inputs: Tensor, *, layout: torch.memory_format) -> None:
        self.route, self.layout = route, layout
        self.base = route.graph.run(inputs, route.values)
        self.work = Work()
        self._bordered: dict[tuple[int, tuple[int, ...], float], Tensor] = {}

    def evaluate(
        self, origins: np.ndarray, patches: Tensor, batch_size: int, *, channels: Sequence[int] | None = None
    ) -> Iterator[tuple[Chunk, Tensor]]:
        """The target, or some of its channels, with patches (n, S, C, k, k) set into the source at ``origins`` (n, 2).

        Yields
        ------
        (windows, draws), (len(windows) * len(draws), ...) tensor
        """
        route = self.route
        where = route.rectangles(origins, patches.shape[-1])
        rectangles = geometry.stack(list(where.values())) if where else None
        waiting: list[tuple[Chunk, list[Tensor]]] = []
        most = self._collected(batch_size)
        for windows, draws in _chunks(rectangles, len(origins), patches.shape[1], batch_size):
            boxes = {} if rectangles is None else route.boxes(list(where), rectangles.of(windows))
            batch = Batch(self, boxes, len(windows))
            batch.run(origins[windows], patches[torch.from_numpy(windows).to(patches.device)][:, draws].flatten(0, 1))
            made = [batch.whole(number, channels if number == route.target else None) for number in route.frontier]
            waiting.append(((windows, draws), made))
            if sum(len(values[0]) for _, values in waiting) + batch_size > most:
                yield from self._finish(waiting, channels)
                waiting = []
        yield from self._finish(waiting, channels)

    def bordered(self, value: int, border: tuple[int, int, int, int], fill: float) -> Tensor:
        """What the image gives, with ``fill`` (left, right, above, below) around it; kept."""
        if not any(border):
            return self.base[value]
        key = (value, border, fill)
        if key not in self._bordered:
            self._bordered[key] = functional.pad(self.base[value], border, value=fill)
        return self._bordered[key]

    def _collected(self, batch_size: int) -> int:
        """How many evaluations go through the tail at once."""
        route = self.route
        longest = max(map(route.size, [*route.frontier, *(node.writes for node in route.tail)]))
        collect = bool(route.tail and route.head) and longest <= SMALL
        return max(batch_size, COLLECTED) if collect else batch_size

    def _finish(
        self, waiting: Sequence[tuple[Chunk, list[Tensor]]], channels: Sequence[int] | None
    ) -> Iterator[tuple[Chunk, Tensor]]:
        """Run the tail on what was collected, and hand it out again."""
        if not waiting:
            return
        columns = list(zip(*(values for _, values in waiting)))
        route = self.route
        values = {number: _joined(parts) for number, parts in zip(route.frontier, columns)}
        length = len(values[route.frontier[0]])
        for node in route.tail:
            given = [values[n] if n in values else self.base[n].expand(length, *route.shape(n)) for n in node.reads]
            values[node.writes] = node.run(given)
            self.count(node, length, None)
        start, found = 0, values[route.target]
        if route.tail and channels is not None:
            found = found[:, channels]
        for chunk, parts in waiting:
            stop = start + len(parts[0])
            yield chunk, found[start:stop]
            start = stop

    def count(self, node: Node, inputs: int, box: Box | None) -> None:
        """Keep account of the multiply-adds."""
        places = math.prod(self.route.shape(node.writes)[1:]) if node.kind != WHOLE else 1
        part = places if box is None or (node.kind == WHOLE and box is not NOTHING) else box.height * box.width
        self.work.dense += node.work * inputs * places
        self.work.done += node.work * inputs * part


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
        """Follow changed windows (n S, C, k, k) of the source, set in at ``origins`` (n, 2), through the maps."""
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

    def whole(self, value: int, channels: Sequence[int] | None = None) -> Tensor:
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


def _chunks(
    rectangles: Rectangles | None, count: int, samples: int, batch_size: int
) -> Iterator[tuple[np.ndarray, slice]]:
    """Windows that are evaluated together, alike ones if there is a choice, and which of their draws."""
    per_batch = max(1, batch_size // samples)
    order = geometry.alike(rectangles) if rectangles is not None and per_batch > 1 else np.arange(count)
    for start in range(0, count, per_batch):
        for draws in np.array_split(np.arange(samples), -(-samples // batch_size)):
            yield order[start : start + per_batch], slice(int(draws[0]), int(draws[-1]) + 1)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
