"""Exact evaluation of one image with many small changes: of every blob only the rectangle that a change reaches.

What the image gives is computed once (`kept`). For each layer, the rectangle of inputs that its changed outputs see is
cut out of that, what has changed is pasted in, and that alone is computed. Which rectangles these are, `route`
says; where one has grown to nearly the whole map, the whole map is computed. `changes` does it for windows of like
rectangles, and what comes out of the maps is collected here for the linear layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Tuple

import numpy as np
import torch
from torch import Tensor

from . import geometry
from .changes import Changes
from .geometry import Box, Rectangles
from .graph import Node
from .kept import Kept
from .linear import LITTLE, union
from .patches import sent
from .route import Route

#: Vectors up to this long are collected before linear layers, which read all their weights for every batch.
SMALL = 2**15
#: How many are collected at most.
COLLECTED = 160
#: Elements alive at most: CUDA's kernels count those of one map in 32 bits, or did until not long ago.
INDEXED = 2**31 - 1

Chunk = Tuple[np.ndarray, slice]


class Waiting(NamedTuple):
    """Evaluations that wait before the linear layers.

    Attributes
    ----------
    chunk : (windows, draws)
    ends : list of tensors
        The values that the linear layers read.
    box : Box, optional
        Where the map has changed that a linear layer reads; None if it is all of the map, or no such layer follows.
    """

    chunk: Chunk
    ends: list[Tensor]
    box: Box | None


class Incremental:
    """One image, of which many small changes are evaluated.

    Parameters
    ----------
    route : Route
    inputs : (1, C, H, W) tensor
        The image as the net takes it.
    layout : torch.memory_format
        In which batches of maps lie in memory.
    collects : bool
        Whether evaluations may wait for each other before the linear layers; if not, no batch is longer than asked for.
    """

    def __init__(self, route: Route, inputs: Tensor, *, layout: torch.memory_format, collects: bool = True) -> None:
        self.route = route
        self._collects = collects
        self.kept = Kept(route, inputs, layout=layout)

    def targets(
        self, origins: np.ndarray, patches: Tensor, batch_size: int, *, channels: Sequence[int] | None = None
    ) -> Iterator[tuple[Chunk, Tensor]]:
        """The target, or some of its channels, with patches (n, S, C, h, w) set into the source at ``origins`` (n, 2).

        Yields
        ------
        (windows, draws), (len(windows) * len(draws), ...) tensor
        """
        route = self.route
        where = route.rectangles(origins, patches.shape[-2:])
        rectangles = geometry.stack(list(where.values())) if where else None
        chosen = None if channels is None else sent(np.array(channels, np.int64), patches.device)
        batch_size = min(batch_size, max(1, INDEXED // route.elements(patches.shape[-2:])))
        waiting: list[Waiting] = []
        most = self._collected(batch_size)
        last = None if route.linear is None or rectangles is None else where[route.linear.value]
        for windows, draws in _chunks(rectangles, last, len(origins), patches.shape[1], batch_size):
            boxes = {} if rectangles is None else route.boxes(list(where), rectangles.of(windows))
            changes = Changes(self.kept, boxes, len(windows))
            changes.follow(origins[windows], patches[sent(windows, patches.device)][:, draws].flatten(0, 1))
            ends = [changes.all_of(number, chosen if number == route.target else None) for number in route.frontier]
            box = None if route.linear is None else changes.box(route.linear.value)
            waiting.append(Waiting((windows, draws), ends, box))
            if sum(len(each.ends[0]) for each in waiting) + batch_size > most:
                yield from self._finish(waiting, chosen)
                waiting = []
        yield from self._finish(waiting, chosen)

    def _collected(self, batch_size: int) -> int:
        """How many evaluations are collected before they go through the tail together."""
        route = self.route
        longest = max(map(route.size, [*route.frontier, *(node.writes for node in route.tail)]))
        collect = self._collects and bool(route.tail and route.head) and longest <= SMALL
        return max(batch_size, COLLECTED) if collect else batch_size

    def _finish(self, waiting: Sequence[Waiting], channels: Tensor | None) -> Iterator[tuple[Chunk, Tensor]]:
        """Run the tail on what was collected, and hand it out again."""
        if not waiting:
            return
        columns = list(zip(*(each.ends for each in waiting)))
        route = self.route
        values = {number: _joined(parts) for number, parts in zip(route.frontier, columns)}
        length = len(values[route.frontier[0]])
        for node in self._behind_the_linear(values, [each.box for each in waiting]):
            kept = {n: self.kept.values[n].expand(length, *route.shape(n)) for n in node.reads if n not in values}
            values[node.writes] = node.run([values[n] if n in values else kept[n] for n in node.reads])
            self.kept.count(node, length, None)
        start, target = 0, values[route.target]
        if route.tail and channels is not None:
            target = target[:, channels]
        for chunk, parts, _ in waiting:
            stop = start + len(parts[0])
            yield chunk, target[start:stop]
            start = stop

    def _behind_the_linear(self, values: dict[int, Tensor], boxes: Sequence[Box | None]) -> Sequence[Node]:
        """What is left to run of the tail: behind a linear layer, if it could be computed of what has changed."""
        linear, tail = self.route.linear, self.route.tail
        changed = [box for box in boxes if box is not None]
        if linear is None or len(changed) < len(boxes):
            return tail
        maps, untouched, given = (
            values[linear.value],
            *(self.kept.values[n] for n in (linear.value, linear.node.writes)),
        )
        box = union(changed)
        share = math.prod(side.stop - side.start for side in box) / math.prod(linear.shape[1:])
        if share > LITTLE or maps.device.type != "cpu" or {maps.dtype, given.dtype} != {torch.float32}:
            return tail
        values[linear.node.writes] = linear.adds(maps, untouched, given, box)
        self.kept.count(linear.node, len(maps), None, share=share)
        return tail[tail.index(linear.node) + 1 :]


def _chunks(
    rectangles: Rectangles | None, last: Rectangles | None, count: int, samples: int, batch_size: int
) -> Iterator[tuple[np.ndarray, slice]]:
    """Which windows are evaluated together, and which of their draws.

    Those with ``rectangles`` (V, n) of like sizes, if there is a choice; otherwise those whose ``last`` (n,) lie at one
    place follow each other, since they are collected before a linear layer.
    """
    per_batch = max(1, batch_size // samples)
    order = np.arange(count)
    if rectangles is not None and per_batch > 1:
        order = geometry.by_size(rectangles)
    elif last is not None:
        order = geometry.by_place(last)
    for start in range(0, count, per_batch):
        for draws in np.array_split(np.arange(samples), -(-samples // batch_size)):
            yield order[start : start + per_batch], slice(int(draws[0]), int(draws[-1]) + 1)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
