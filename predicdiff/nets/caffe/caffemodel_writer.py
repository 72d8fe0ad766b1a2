"""A net's layers and weights -> the bytes of a caffemodel."""

from __future__ import annotations

from typing import Iterable, Iterator, Mapping, Sequence

import numpy as np

from .resolved import ResolvedNet, Step, check_weights
from .wire import packed, piece

# Field numbers: in NetParameter, in a layer, and in BlobProto.
_NET_NAME, _LAYER = 1, 100
_NAME, _TYPE, _BOTTOM, _TOP, _BLOBS = 1, 2, 3, 4, 7
_DATA, _SHAPE = 5, 7
_DIM = 1


def caffemodel(net: ResolvedNet, weights: Mapping[str, Sequence[np.ndarray]]) -> Iterator[bytes]:
    """A caffemodel in Caffe's current format (V2), which Caffe itself reads; the same weights give the same bytes.

    Parameters
    ----------
    net : ResolvedNet
    weights : {layer: sequence of arrays}
        Of all layers that have any, in the shapes that the net wants; others are left out.

    Yields
    ------
    bytes
        The file, layer by layer: those with weights, in the net's order, without their parameters, which are the
        prototxt's to say.

    Raises
    ------
    WeightsError
        If a layer has no weights, or they have other shapes.
    """
    arrays = check_weights(net, weights)
    yield piece(_NET_NAME, net.name.encode())
    for step in net.steps:
        if step.shapes.weights:
            yield piece(_LAYER, _layer(step, arrays[step.layer.name]))


def _layer(step: Step, blobs: Iterable[np.ndarray]) -> bytes:
    layer = step.layer
    texts = [(_NAME, layer.name), (_TYPE, layer.type)]
    texts += [(_BOTTOM, bottom) for bottom in layer.bottoms] + [(_TOP, top) for top in layer.tops]
    contents = [(number, text.encode()) for number, text in texts] + [(_BLOBS, _blob(blob)) for blob in blobs]
    return b"".join(piece(*content) for content in contents)


def _blob(blob: np.ndarray) -> bytes:
    return piece(_SHAPE, piece(_DIM, packed(blob.shape))) + piece(_DATA, blob.astype("<f4").tobytes())
