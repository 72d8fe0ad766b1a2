"""Caffe's layer types: what each makes of its bottoms' shapes, which weights it wants, its defaults, its memory.

Shapes leave out the batch axis, which every layer here passes through; Caffe's axis 1 is therefore our axis 0. To add a
type takes one entry here and one of `torch_layers`; nothing else knows types by their names.
"""

from __future__ import annotations

import math

from ....errors import LayerError
from ..fields import Fields, Shape
from ..records import Layer
from . import arrangements, values, windows
from .base import LayerType, Shapes

#: Largest number of elements of a blob: Caffe counts in int.
MOST = 2**31 - 1

#: All types by name.
TYPES: dict[str, LayerType] = {kind.name: kind for kind in (*arrangements.TYPES, *values.TYPES, *windows.TYPES)}

__all__ = ["MOST", "TYPES", "LayerType", "Shapes", "known_types", "shapes", "type_of"]


def known_types() -> str:
    """The names of what a prototxt may have, for messages."""
    return ", ".join(["Input", *sorted(TYPES)])


def type_of(layer: Layer) -> LayerType:
    """A layer's type; a LayerError if it is unknown."""
    if layer.type not in TYPES:
        raise LayerError(f"layer {layer.name!r} is of type {layer.type!r}, {_hint(layer.type)}")
    return TYPES[layer.type]


def shapes(layer: Layer, bottoms: tuple[Shape, ...]) -> Shapes:
    """Shapes of a layer's tops and weights, and its settings.

    Parameters
    ----------
    layer : Layer
    bottoms : tuple of shapes, without the batch axis

    Raises
    ------
    LayerError
        If the type is unknown, or the parameters contradict each other or the bottoms.
    """
    kind = type_of(layer)
    fields = Fields(layer, bottoms, kind.parameters)
    if not kind.several_tops and len(layer.tops) != 1:
        raise fields.error(f"has {len(layer.tops)} tops, want 1")
    result = kind.shapes(fields)
    for shape in result.tops + result.weights:
        if 0 in shape or math.prod(shape) > MOST:
            raise fields.error(f"gives a blob of shape {shape}, want 1 to 2^31 - 1 elements")
    return result


def _hint(kind: str) -> str:
    if kind.endswith(("Data", "Loss", "LossLayer")) or kind in ("Accuracy", "ArgMax"):
        return "which belongs to training: give the net's deploy prototxt instead."
    return f"which is not known here. Known types: {known_types()}."
