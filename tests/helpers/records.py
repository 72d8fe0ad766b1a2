"""Layer records, written short."""

from __future__ import annotations

from typing import Any

from predicdiff.nets.caffe.layer_types import TYPES
from predicdiff.nets.caffe.records import Layer, NetSpec


def layer(kind: str, bottoms: str, tops: str, name: str = "", **fields: Any) -> Layer:
    """A layer by its type and the names of its bottoms and tops, separated by spaces."""
    group = TYPES[kind].parameters if kind in TYPES else kind.lower() + "_param"
    return Layer(name or tops.split()[0], kind, tuple(bottoms.split()), tuple(tops.split()), {group: fields})


def net(shape: tuple[int, ...], *layers: Layer) -> NetSpec:
    """A net whose input ``data`` has the given shape."""
    return NetSpec("net", {"data": shape}, layers)
