"""Operations that put values elsewhere and compute nothing: axes in another order, some channels, joined ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Sequence

import torch
from torch import Tensor, fx

from ...engine.geometry import Shape, reaches
from ...engine.graph import Concat, Local, Pointwise
from ..axes import USUAL, Axes, common
from ..calls import Call, ModuleNode
from .placewise import Placewise, alike


def moved(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A call that only moves values: where it puts each of a tensor's numbers says what it is."""
    if not call.of_one or call.beside or call.in_place:
        return None
    axes, shape = call.axes[0], call.inputs[0]
    if call.output == (math.prod(shape),) and axes in (None, USUAL):
        return replace(node, flat=True)
    if axes is None:
        return None
    size = axes.map_shape(shape)
    numbers = torch.arange(2 * math.prod(size), device=call.device).view(2, *size)
    result = call.run([axes.from_map(numbers, shape)])
    for found in _orders(call.output):
        origin = _origin(result, found, size)
        if origin is not None:
            return origin.node(node, found)
    return None


@dataclass(frozen=True)
class _Origin:
    """From where in maps of a ``size`` (C, H, W) each place of others comes.

    Attributes
    ----------
    channels : (C',) tensor
    rows, columns : range
    """

    size: Shape
    channels: Tensor
    rows: range
    columns: range

    def node(self, node: ModuleNode, axes: Axes) -> ModuleNode:
        """The node of the call, with axes of its result."""
        (_, height, width), some = self.size, self._chosen()
        if (self.rows, self.columns) == (range(height), range(width)):
            fresh = isinstance(some, Tensor)
            return replace(node, run=lambda values: values[0][:, some], kind=Pointwise(), fresh=fresh, axes=axes)
        rows, columns = (slice(way.start, way.stop, way.step) for way in (self.rows, self.columns))
        stride, before = (self.rows.step, self.columns.step), (-self.rows.start, -self.columns.start)
        reach = reaches((1, 1), stride, before, (height, width), (len(self.rows), len(self.columns)))

        def cut(pieces: Sequence[Tensor]) -> Tensor:
            return pieces[0][:, some, :: stride[0], :: stride[1]].clone()

        return replace(
            node, run=lambda values: values[0][:, some, rows, columns], kind=Local(reach, cut), fresh=False, axes=axes
        )

    def _chosen(self) -> slice | Tensor:
        """The channels as an index, a slice where they follow each other."""
        first, count = int(self.channels[0]), len(self.channels)
        follow = torch.equal(self.channels, torch.arange(first, first + count, device=self.channels.device))
        return slice(first, first + count) if follow else self.channels


def _orders(shape: Shape) -> Iterator[Axes]:
    """Where rows and columns may lie in a tensor of this shape; where they usually do comes first."""
    pairs = itertools.permutations(range(-1, -len(shape) - 1, -1), 2)
    return (Axes(*pair) for pair in sorted(pairs, key=lambda pair: pair != USUAL))


def _origin(result: Tensor, axes: Axes, size: Shape) -> _Origin | None:
    """From where numbers come that stood in maps (2, *size) in their order; None if not place by place.

    Every channel has to come from one, every row from one row and every column from one column, in even steps.
    """
    _, height, width = size
    turned = result.movedim(tuple(axes), (-2, -1))
    first = turned[(0,) * (turned.dim() - 2)]
    rows, columns = _steps(first[:, 0] // width % height), _steps(first[0] % width)
    if rows is None or columns is None:
        return None
    one, other = axes.to_map(result)
    channels = one[:, 0, 0] // (height * width)
    places = torch.tensor(rows, device=result.device)[:, None] * width + torch.tensor(columns, device=result.device)
    wanted = channels[:, None, None] * height * width + places
    if not torch.equal(one, wanted) or not torch.equal(other, wanted + math.prod(size)):
        return None
    return _Origin(size, channels, rows, columns)


def _steps(places: Tensor) -> range | None:
    """Places along an axis that follow each other in even steps; None of others."""
    first, second = int(places[0]), int(places[1]) if len(places) > 1 else int(places[0]) + 1
    steps = range(first, first + max(second - first, 1) * len(places), max(second - first, 1))
    return steps if places.tolist() == list(steps) else None


def joined(node: ModuleNode, call: Call) -> ModuleNode | None:
    """Maps whose channels follow each other."""
    settings, axes = call.settings("tensors", "dim"), common(call.axes)
    if axes is None or not alike(call, axes) or call.beside:
        return None
    if not all(isinstance(each, fx.Node) for each in settings["tensors"]):
        return None
    axis_count = len(call.output) + 1
    dim = settings.get("dim", 0)
    dim = dim if dim < 0 else dim - axis_count
    channels = [axis for axis in range(-axis_count + 1, 0) if axis not in axes]
    if not channels or dim != channels[0] or len(settings["tensors"]) > len(call.inputs):
        return Placewise(across=True)(node, call) if dim in channels else None
    return call.placed(node, axes, Concat(), fresh=True)
