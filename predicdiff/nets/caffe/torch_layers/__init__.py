"""How torch computes Caffe's layer types: one entry each, as in `layer_types`."""

from __future__ import annotations

from . import arrangements, values, windows
from .base import Filters, Tensors, TorchLayer

#: All types by name.
LAYERS: dict[str, TorchLayer] = {layer.name: layer for layer in (*arrangements.LAYERS, *values.LAYERS, *windows.LAYERS)}

__all__ = ["LAYERS", "Filters", "Tensors", "TorchLayer"]
