"""How torch computes Caffe's layer types: one entry each, as in `layer_types`."""

from __future__ import annotations

from . import arrangements, elementwise, forks, summaries, values, windows
from .base import Filters, Tensors, TorchLayer

#: All types by name.
LAYERS: dict[str, TorchLayer] = {
    layer.name: layer
    for room in (arrangements, elementwise, forks, summaries, values, windows)
    for layer in room.LAYERS
}

__all__ = ["LAYERS", "Filters", "Tensors", "TorchLayer"]
