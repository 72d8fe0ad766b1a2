"""Layers that take their bottoms' values as they are, and arrange them otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...engine.graph import Concat, Kind, Whole
from ..layer_types import Shapes
from ..resolved import Step
from .base import Tensors, TorchLayer, placewise


def concat(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Bottoms one after the other along an axis, the batch's not counted."""
    return torch.cat(list(bottoms), axis + 1)


def same(bottoms: Tensors, weights: Tensors, **settings: Any) -> Tensor:
    """The bottom itself."""
    return bottoms[0]


def reshape(bottoms: Tensors, weights: Tensors, *, shape: tuple[int, ...]) -> Tensor:
    """The bottom's values in another shape."""
    return bottoms[0].reshape(len(bottoms[0]), *shape)


def _shape(shapes: Shapes, top: int) -> Mapping[str, Any]:
    return {"shape": shapes.tops[top]}


def _concat(step: Step, weights: Tensors, device: torch.device) -> Kind:
    of_channels = step.shapes.settings["axis"] == 0 and len(step.shapes.tops[0]) == 3
    return Concat() if of_channels else Whole()


LAYERS = (
    TorchLayer("Concat", concat, kind=_concat),
    TorchLayer("Flatten", reshape, arguments=_shape),
    TorchLayer("Reshape", reshape, arguments=_shape),
    TorchLayer("Split", same, kind=placewise, by_channel=True),
)
