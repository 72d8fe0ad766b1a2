"""Caffe's layer types: what each makes of its bottoms' shapes, which weights it wants, its defaults, its memory.

Shapes leave out the batch axis, which every layer here passes through; Caffe's axis 1 is therefore our axis 0. To add a
type takes one entry here and one of `torch_layers`; nothing else knows types by their names.
"""

from __future__ import annotations

import math
from typing import Iterable

from ....errors import LayerError
from ....texts import near
from ...engine.geometry import Shape
from ..fields import Fields
from ..records import MOST_AXES, MOST_ELEMENTS, Layer
from . import arrangements, elementwise, forks, summaries, values, windows
from .base import LayerType, Shapes
from .training import JUDGES, READERS

#: All types by name.
TYPES: dict[str, LayerType] = {
    kind.name: kind for room in (arrangements, elementwise, forks, summaries, values, windows) for kind in room.TYPES
}

#: Types of BVLC's Caffe that are not known here, since they make nothing of a single image, and what to do.
REFUSED = {
    "BatchReindex": "picks among the images of a batch: want a net that answers for each image",
    "Embed": "reads the numbers of words: want a net that reads images",
    "Filter": "drops some of the images of a batch: want a net that answers for each image",
    "HDF5Output": "writes a file: want the net without it",
    "Im2col": "is a part of Convolution: want that layer in its place, or --engine caffe",
    "LSTM": "reads a sequence: want a net that reads images",
    "LSTMUnit": "reads a sequence: want a net that reads images",
    "Parameter": "hands its weights on: want them among those of the layer that reads them, or --engine caffe",
    "Python": "is code of its own: want Caffe's own layers in its place, or --engine caffe",
    "RNN": "reads a sequence: want a net that reads images",
}

__all__ = ["TYPES", "LayerType", "Shapes", "meant", "shapes", "type_of", "unknown_type"]


def type_of(layer: Layer) -> LayerType:
    """A layer's type; a LayerError if it is unknown."""
    if layer.type not in TYPES:
        raise unknown_type(layer.name, layer.type)
    return TYPES[layer.type]


def unknown_type(layer: str, kind: str) -> LayerError:
    """The exception for a layer of another type than those that are known here."""
    if kind in REFUSED:
        return LayerError(f"layer {layer!r} is of type {kind!r}, which {REFUSED[kind]}.")
    hint = (
        f"is not known here.{meant(kind, TYPES)} Want a type of BVLC's Caffe or a fork's that docs/commands.md names, "
        "or --engine caffe, if your Caffe has it."
    )
    if kind.endswith(READERS + JUDGES):
        hint = "belongs to training: want the net without it, and without what reads it."
    return LayerError(f"layer {layer!r} is of type {kind!r}, which {hint}")


def meant(kind: str, types: Iterable[str]) -> str:
    """A question after the types whose names are near; empty if none are."""
    lower = {name.lower(): name for name in types}
    similar = [lower[name] for name in near(kind.lower(), lower, cutoff=0.85)]
    return f" Do you mean {' or '.join(similar)}?" if similar else ""


def shapes(layer: Layer, bottoms: tuple[Shape, ...], kind: LayerType | None = None) -> Shapes:
    """Shapes of a layer's tops and weights, and its settings.

    Parameters
    ----------
    layer : Layer
    bottoms : tuple of shapes, without the batch axis
    kind : LayerType, optional
        By default the one that is known by this name.

    Raises
    ------
    LayerError
        If the type is unknown, or the parameters contradict each other or the bottoms.
    """
    kind = kind or type_of(layer)
    fields = Fields(layer, bottoms, kind.parameters)
    if not kind.several_tops and len(layer.tops) != 1:
        raise fields.error(f"has {len(layer.tops)} tops, want 1")
    result = kind.shapes(fields)
    for shape in result.tops + result.weights:
        if len(shape) >= MOST_AXES:
            raise fields.error(f"gives a blob of {len(shape) + 1} axes, want {MOST_AXES} at most")
        if 0 in shape or math.prod(shape) > MOST_ELEMENTS:
            raise fields.error(f"gives a blob of shape {shape}, want 1 to 2^31 - 1 elements")
    return result
