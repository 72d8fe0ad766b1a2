"""A net as Caffe itself takes it, layers of types that are not known here being what it has made of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Callable, Sequence

from .caffemodel import PathLike
from .fields import Fields
from .layer_types import TYPES, LayerType, Shapes
from .process import Built, build, empty_net, use
from .prototxt import Prototxt, named, read_file
from .records import Layer
from .resolved import ResolvedNet, resolve


@dataclass(frozen=True)
class Planned:
    """A prototxt that was read for Caffe.

    Attributes
    ----------
    file : Prototxt
    resolved : ResolvedNet
    foreign : bool
        Whether it has layers of types that are not known here.
    built : callable
        Gives the net, which is built when that is first asked for.
    """

    file: Prototxt
    resolved: ResolvedNet
    foreign: bool
    built: Callable[[], Built]


def planned(
    prototxt: PathLike,
    input_shape: Sequence[int] | None = None,
    gpu: int | None = None,
    *,
    output: str | None = None,
    added: Sequence[Layer] = (),
) -> Planned:
    """Read a prototxt with the fields and layers that Caffe knows; it is not asked for those that are known here.

    ``output`` is as for `prototxt.parse_file`; what is built has ``added`` layers behind it.

    Raises
    ------
    FormatError, LayerError
        As from `prototxt.parse_file`, `resolved.resolve` and `process.build`.
    """
    file = read_file(prototxt, input_shape, output=output, other=empty_net)

    @functools.lru_cache(maxsize=None)
    def built() -> Built:
        use(gpu)
        return build(file.text, str(prototxt), added)

    foreign = any(layer.type not in TYPES for layer in file.spec.layers)
    net = built().net if foreign else None
    with named(prototxt):
        return Planned(file, resolve(file.spec, functools.partial(_kind, net)), foreign, built)


def _kind(net: Any, layer: Layer) -> LayerType:
    """A layer's type; of one that is not known here, what the net, built for a batch of one, has of it."""
    if layer.type in TYPES:
        return TYPES[layer.type]
    return LayerType(layer.type, functools.partial(_shapes, net), several_tops=True, keeps=2)


def _shapes(net: Any, fields: Fields) -> Shapes:
    """Shapes as the net has them; settings are the parameters as they stand in the prototxt."""
    layer = fields.layer
    tops = {top: tuple(net.blobs[top].shape) for top in layer.tops}
    for top, shape in tops.items():
        if shape[:1] != (1,):
            raise fields.error(f"makes blob {top!r} of shape {shape} of one image, want 1 as the first number")
    weights = tuple(tuple(blob.shape) for blob in net.params[layer.name]) if layer.name in net.params else ()
    return Shapes(tuple(shape[1:] for shape in tops.values()), weights, dict(layer.params))
