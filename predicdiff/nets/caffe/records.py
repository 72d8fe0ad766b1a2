"""A net as data: its layer records, as a prototxt has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

#: Caffe counts the elements of a blob in int.
MOST_ELEMENTS = 2**31 - 1
#: And its axes, the batch's among them, up to 32.
MOST_AXES = 32


@dataclass(frozen=True)
class Layer:
    """One layer as the prototxt has it, in the words of Caffe's current format.

    ``params`` holds the fields that are there, and no others, e.g. ``{"convolution_param": {"num_output": 96,
    "kernel_size": [11]}}``: repeated ones as lists, enums by name, numbers as they are written. ``shared`` are the
    names that its weights have, empty for one without: weights of one name are the same in all layers.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    params: Mapping[str, Any]
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetSpec:
    """A net as the prototxt has it, in phase TEST.

    ``inputs`` are the shapes of what goes in, without the batch axis, e.g. ``{"data": (3, 227, 227)}``; Input layers
    are there and not among ``layers``.
    """

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    layers: tuple[Layer, ...]
