"""Layers that take their bottoms' values as they are, and arrange them otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...engine.geometry import reaches
from ...engine.graph import Concat, Dependence, Local, Whole
from ..layer_types import Shapes
from ..resolved import Step
from .base import Tensors, TorchLayer, placewise, with_shape


def concat(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Bottoms one after the other along an axis, the batch's not counted."""
    return torch.cat(list(bottoms), axis + 1)


def slices(bottoms: Tensors, weights: Tensors, *, axis: int, start: int, stop: int) -> Tensor:
    """Part of the bottom along an axis, the batch's not counted."""
    return _copied(bottoms[0].narrow(axis + 1, start, stop - start))


def crop(bottoms: Tensors, weights: Tensors, *, begins: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    """Part of the bottom along all axes."""
    part = bottoms[0]
    for axis, (begin, size) in enumerate(zip(begins, shape), 1):
        part = part.narrow(axis, begin, size)
    return _copied(part)


def _copied(part: Tensor) -> Tensor:
    """A copy; of one channel in plain order, since convolutions misread it where channels are said to come last."""
    one = part.dim() == 4 and part.shape[1] == 1
    return part.clone(memory_format=torch.contiguous_format if one else torch.preserve_format)


def itself(bottoms: Tensors, weights: Tensors, **settings: Any) -> Tensor:
    """The bottom itself."""
    return bottoms[0]


def reshape(bottoms: Tensors, weights: Tensors, *, shape: tuple[int, ...]) -> Tensor:
    """The bottom's values in another shape."""
    return bottoms[0].reshape(len(bottoms[0]), *shape)


def tile(bottoms: Tensors, weights: Tensors, *, axis: int, tiles: int) -> Tensor:
    """The bottom ``tiles`` times, one after the other along an axis, the batch's not counted."""
    return torch.cat([bottoms[0]] * tiles, axis + 1)


def _bounds(shapes: Shapes, top: int) -> Mapping[str, Any]:
    start, stop = shapes.settings["bounds"][top : top + 2]
    return {"axis": shapes.settings["axis"], "start": start, "stop": stop}


def _crop(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    """A place of a map depends on the one that lies as far on as the crop begins."""
    bottom, top = step.bottoms[0], step.shapes.tops[0]
    if len(top) != 3:
        return Whole()
    first, row, column = step.shapes.settings["begins"]
    reach = reaches((1, 1), (1, 1), (-row, -column), bottom[1:], top[1:])
    return Local(reach, lambda pieces: _copied(pieces[0][:, first : first + top[0]]))


def _concat(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    of_channels = step.shapes.settings["axis"] == 0 and len(step.shapes.tops[0]) == 3
    return Concat() if of_channels else Whole()


LAYERS = (
    TorchLayer("Concat", concat, kind=_concat),
    TorchLayer("Crop", crop, arguments=with_shape, kind=_crop),
    TorchLayer("Flatten", reshape, arguments=with_shape, flat=True),
    TorchLayer("Reshape", reshape, arguments=with_shape, flat=True),
    TorchLayer("Silence", itself),
    TorchLayer("Slice", slices, arguments=_bounds, kind=placewise),
    TorchLayer("Split", itself, kind=placewise, by_channel=True),
    TorchLayer("Tile", tile, kind=placewise),
)
