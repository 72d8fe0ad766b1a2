"""Where in a tensor rows and columns of a map lie: (b, C, H, W), channels last, or channels in groups.

The engine knows maps (C, H, W) alone. A tensor with its rows and columns elsewhere is to the engine the map that has
all other axes, in their order, as channels; between two calls it is turned to and fro, which moves nothing in memory.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Sequence

from torch import Tensor

from ..engine.geometry import Shape


class Axes(NamedTuple):
    """Which axes are rows and columns, counted from the last one, which is -1."""

    rows: int
    columns: int

    def of(self, shape: Shape) -> tuple[int, int]:
        """Numbers of rows and columns in a tensor of this shape."""
        return shape[self.rows], shape[self.columns]

    def others(self, shape: Shape) -> Shape:
        """The other axes of a shape without the batch axis."""
        skipped = {axis % len(shape) for axis in self}
        return tuple(length for axis, length in enumerate(shape) if axis not in skipped)

    def map_shape(self, shape: Shape) -> Shape:
        """Shape (C, H, W) of the map that the engine sees in a tensor of this shape without the batch axis."""
        return math.prod(self.others(shape)), *self.of(shape)

    def to_map(self, tensor: Tensor) -> Tensor:
        """A batch as maps (b, C, H, W)."""
        if self == USUAL and tensor.dim() == 4:
            return tensor
        turned = tensor.movedim((self.rows, self.columns), (-2, -1))
        return turned.reshape(len(tensor), -1, *turned.shape[-2:])

    def from_map(self, maps: Tensor, shape: Shape) -> Tensor:
        """Maps (b, C, h, w), or pieces of such, as a batch of tensors that have ``shape`` but for rows and columns."""
        if self == USUAL and len(shape) == 3:
            return maps
        others = self.others(shape)
        return maps.reshape(len(maps), *others, *maps.shape[-2:]).movedim((-2, -1), (self.rows, self.columns))


#: Where they lie in a map.
USUAL = Axes(-2, -1)


def common(several: Sequence[Axes | None]) -> Axes | None:
    """The axes that several tensors have in common; None if there are no such."""
    first = several[0] if several else None
    return first if all(axes == first for axes in several) else None
