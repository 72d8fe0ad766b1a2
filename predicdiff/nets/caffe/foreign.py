"""Layers of types that are not known here, as the Caffe that runs them has made them."""

from __future__ import annotations

from typing import Any, Callable

from .fields import Fields
from .layer_types import TYPES, LayerType, Shapes
from .records import Layer


class ForeignTypes:
    """Types of layers, those that are not known here by what Caffe says of them.

    Parameters
    ----------
    built : callable
        Gives the `caffe.Net`, for a batch of one; called where a layer of such a type is met.

    Attributes
    ----------
    met : list of str
        The names of such layers.
    """

    def __init__(self, built: Callable[[], Any]) -> None:
        self._built = built
        self.met: list[str] = []

    def __call__(self, layer: Layer) -> LayerType:
        """The type of one layer."""
        if layer.type in TYPES:
            return TYPES[layer.type]
        self.met.append(layer.name)
        return LayerType(layer.type, self._shapes, several_tops=True, keeps=2)

    def _shapes(self, fields: Fields) -> Shapes:
        """What the net has; settings are the parameters as they stand in the prototxt."""
        net, layer = self._built(), fields.layer
        tops = {top: tuple(net.blobs[top].shape) for top in layer.tops}
        for top, shape in tops.items():
            if shape[:1] != (1,):
                raise fields.error(f"makes blob {top!r} of shape {shape} of one image, want 1 as the first number")
        weights = tuple(tuple(blob.shape) for blob in net.params[layer.name]) if layer.name in net.params else ()
        return Shapes(tuple(shape[1:] for shape in tops.values()), weights, dict(layer.params))
