"""How torch computes Caffe's layer types: one entry each, as in `layer_types`."""

from __future__ import annotations

from torch import Tensor

from ..resolved import Turn
from . import arrangements, values, windows
from .base import Filters, Tensors, TorchLayer

#: All types by name.
LAYERS: dict[str, TorchLayer] = {layer.name: layer for layer in (*arrangements.LAYERS, *values.LAYERS, *windows.LAYERS)}

__all__ = ["LAYERS", "Filters", "Tensors", "TorchLayer", "apply"]


def apply(turn: Turn, bottoms: Tensors, weights: Tensors) -> tuple[Tensor, ...]:
    """Tops of one step."""
    step, layer = turn.step, LAYERS[turn.step.layer.type]
    run = layer.over if turn.overwrite and layer.over is not None else layer.run
    return tuple(run(bottoms, weights, **layer.arguments(step.shapes, top)) for top in range(len(step.writes)))
