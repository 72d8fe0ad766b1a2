"""Layer types that make few values of many places: sums, the largest ones, pyramids."""

from __future__ import annotations

import math
from typing import Sequence

from ...engine.geometry import Shape
from ..fields import Fields
from ..records import Layer
from .base import ASIDE, LayerType, Shapes
from .windows import bordered, pooling


def reduction(fields: Fields) -> Shapes:
    """One number of all axes from ``axis`` on."""
    (bottom,) = fields.take(1)
    axis = fields.axis(len(bottom), 0)
    operation = fields.choice("operation", "SUM", ("SUM", "ASUM", "SUMSQ", "MEAN"))
    settings = {"axis": axis, "operation": operation, "factor": fields.number("coeff", 1.0)}
    return Shapes((bottom[:axis],), (), settings)


def arg_max(fields: Fields) -> Shapes:
    """The indices of the ``top_k`` largest values along an axis, or of all; ``out_max_val``: the values, or both."""
    (bottom,) = fields.take(1)
    values, most = fields.flag("out_max_val", False), fields.whole("top_k", 1, least=1)
    axis = fields.axis(len(bottom), 1) if fields.has("axis") else None
    available = math.prod(bottom) if axis is None else bottom[axis]
    if most > available:
        raise fields.error(f"has top_k = {most}, want at most {available}, as many as there are")
    if axis is None:
        top = (1 + values, most, *(1,) * (len(bottom) - 2))
    else:
        top = (*bottom[:axis], most, *bottom[axis + 1 :])
    return Shapes((top,), (), {"axis": axis, "most": most, "values": values})


def pyramid(fields: Fields) -> Shapes:
    """Pooling into 1, 2 x 2, 4 x 4, ... windows, ``pyramid_height`` times, all values one after the other."""
    channels, *size = fields.image()
    pool, levels = fields.choice("pool", "MAX", ("MAX", "AVE")), []
    for level in range(fields.whole("pyramid_height", least=1)):
        asked = {"pool": pool, **_windows(size, 2**level)}
        layer = fields.layer
        record = Layer(layer.name, layer.type, layer.bottoms, layer.tops, {"pooling_param": asked})
        levels.append(pooling(Fields(record, fields.bottoms, "pooling_param")).settings)
    top = (channels, 1, 1) if len(levels) == 1 else (channels * sum(math.prod(level["size"]) for level in levels),)
    return Shapes((top,), (), {"levels": tuple(levels)})


def _windows(size: list[int], count: int) -> dict[str, int]:
    """The fields of a pooling by which ``count`` windows cover each axis, and as many places before it as behind."""
    kernels = [-(-length // count) for length in size]
    pads = [(kernel * count - length + 1) // 2 for kernel, length in zip(kernels, size)]
    sides = {"kernel": kernels, "stride": kernels, "pad": pads}
    return {f"{name}_{side}": pair[i] for name, pair in sides.items() for i, side in enumerate("hw")}


def _padded(bottoms: Sequence[Shape], shapes: Shapes) -> int:
    """The widest of the maps that are pooled."""
    return max(bordered(bottoms[0], level) for level in shapes.settings["levels"])


def _sorted(bottoms: Sequence[Shape], shapes: Shapes) -> int:
    """All of the bottom turned round and in order, with the indices, which have 8 bytes."""
    return 8 * math.prod(bottoms[0])


TYPES = (
    LayerType("ArgMax", arg_max, holds=ASIDE, backward=False, widened=_sorted),
    LayerType("Reduction", reduction),
    LayerType("SPP", pyramid, keeps=4, widened=_padded),
)
