"""How many channels a net's images have, which the file of a net in training often does not say and its weights do."""

from __future__ import annotations

import math
from typing import Mapping, Sequence

import numpy as np

from ...errors import WeightsError
from .layer_types import elementwise
from .prototxt import Prototxt
from .records import Layer, NetSpec

_POINTWISE = {kind.name for kind in elementwise.TYPES}


def input_shape_for(
    file: Prototxt, weights: Mapping[str, Sequence[np.ndarray]], given: Sequence[int] | None, source: str
) -> Sequence[int] | None:
    """The shape of a net's input, where the weights decide on it; else what was ``given``.

    Raises
    ------
    WeightsError
        If the weights, from the file ``source``, are for images of other channels than those that were given.
    """
    shapes = list(file.spec.inputs.values())
    if len(shapes) != 1 or len(shapes[0]) != 3:
        return given
    (channels, height, width), read = shapes[0], _channels_read(file.spec, weights)
    if read is None or read == channels:
        return given
    if given is not None:
        raise WeightsError(
            f"the weights in {source} are for inputs of {_told(read)}, and the net's was given {_told(channels)}: want "
            f"--input-shape {read},{height},{width} (input_shape=({read}, {height}, {width})), or other weights."
        )
    return (read, height, width) if file.images is not None and file.images.colours_assumed else None


def _told(channels: int) -> str:
    return f"{channels} channel{'s' if channels > 1 else ''}"


def _channels_read(spec: NetSpec, weights: Mapping[str, Sequence[np.ndarray]]) -> int | None:
    """The channels that the first weights want which read the input, as it is or value by value; None if unknown."""
    ((name, shape),) = spec.inputs.items()
    alike = {name}
    for layer in (layer for layer in spec.layers if alike.intersection(layer.bottoms)):
        blobs = weights.get(layer.name, ())
        if len(blobs):
            return _channels_of(layer, np.shape(blobs[0]), math.prod(shape[1:]))
        if layer.type in _POINTWISE:
            alike.update(layer.tops)
    return None


def _channels_of(layer: Layer, stored: Sequence[int], places: int) -> int | None:
    if layer.type == "Convolution" and len(stored) == 4:
        return stored[1] * int(layer.params.get("convolution_param", {}).get("group", 1))
    if layer.type == "InnerProduct" and stored and stored[-1] % places == 0:
        return stored[-1] // places
    return None
