"""How many channels a net's images have, which the file of a net in training often does not say and its weights do."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

import numpy as np

from ...errors import LayerError, WeightsError
from .prototxt import Prototxt
from .records import NetSpec
from .resolved import check_weights, resolve

#: Grey, colours, with a depth or transparency, or several images at once.
_CHANNELS = (1, 3, 4, 2, 6, 9, 5)


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
    assumed = file.images is not None and file.images.colours_assumed
    if len(shapes) != 1 or len(shapes[0]) != 3 or (given is None and not assumed):
        return given
    channels, height, width = shapes[0]
    if _fits(file.spec, weights, channels, height, width):
        return given
    read = next((other for other in _CHANNELS if _fits(file.spec, weights, other, height, width)), channels)
    if given is None or read == channels:
        return given if read == channels else (read, height, width)
    raise WeightsError(
        f"the weights in {source} are for inputs of {_told(read)}, and the net's was given {_told(channels)}: want "
        f"--input-shape {read},{height},{width} (input_shape=({read}, {height}, {width})), or other weights."
    )


def _fits(spec: NetSpec, weights: Mapping[str, Sequence[np.ndarray]], *shape: int) -> bool:
    """Whether weights are those of a net whose inputs have this shape."""
    try:
        check_weights(resolve(replace(spec, inputs=dict.fromkeys(spec.inputs, shape))), weights)
    except (LayerError, WeightsError):
        return False
    return True


def _told(channels: int) -> str:
    return f"{channels} channel{'s' if channels > 1 else ''}"
