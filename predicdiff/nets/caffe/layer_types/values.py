"""Layer types that reckon new values from all channels of a place, from several bottoms or weights, or from all."""

from __future__ import annotations

import math
from typing import Sequence

from ...engine.geometry import Shape
from ..fields import Fields
from .base import COMBINED, SCALED, LayerType, Shapes, always


def lrn(fields: Fields) -> Shapes:
    """Each value times ``(k + alpha * mean square)^-beta``, of so many channels there, or of its neighbourhood."""
    bottom = fields.image()
    region = fields.choice("norm_region", "ACROSS_CHANNELS", ("ACROSS_CHANNELS", "WITHIN_CHANNEL"))
    size = fields.whole("local_size", 5, least=1)
    if size % 2 == 0:
        raise fields.error(f"has local_size {size}, want an odd number")
    numbers = {"alpha": fields.number("alpha", 1.0), "beta": fields.number("beta", 0.75), "k": fields.number("k", 1.0)}
    if region == "WITHIN_CHANNEL":
        numbers.update(k=1.0, within=True)  # Caffe adds 1 there, whatever k is
    return Shapes((bottom,), (), {"size": size, **numbers})


def _surrounded(bottoms: Sequence[Shape], shapes: Shapes) -> int:
    """The bottom with its surroundings, and these squared, where it is normalised by them; else squares and sums."""
    channels, *size = bottoms[0]
    around = shapes.settings["size"] - 1 if "within" in shapes.settings else 0
    return 3 * channels * math.prod(n + around for n in size)


def mvn(fields: Fields) -> Shapes:
    """Mean and, with ``normalize_variance``, deviation of maps taken out: of each, or of all ``across_channels``."""
    (bottom,) = fields.take(1)
    if len(bottom) > 3:
        raise fields.error(f"has a bottom of shape {bottom}, want (channels, height, width)")
    settings = {
        "across": fields.flag("across_channels", False),
        "divide": fields.flag("normalize_variance", True),
        "eps": fields.number("eps", 1e-9),
    }
    return Shapes(((*bottom, 1, 1, 1)[:3],), (), settings)


def softmax(fields: Fields) -> Shapes:
    """Normalised exponentials along one axis."""
    (bottom,) = fields.take(1)
    return Shapes((bottom,), (), {"axis": fields.axis(len(bottom), 1)})


def eltwise(fields: Fields) -> Shapes:
    """Sum with coefficients, product or maximum of bottoms of one shape."""
    bottoms = fields.take(2, None)
    if any(b != bottoms[0] for b in bottoms):
        raise fields.error(f"combines blobs of shapes {' and '.join(map(str, bottoms))}, want equal ones")
    operation = fields.choice("operation", "SUM", ("SUM", "PROD", "MAX"))
    coefficients = fields.numbers("coeff")
    if coefficients and operation != "SUM":
        raise fields.error(f"has coefficients for operation {operation}, want them for SUM only")
    if coefficients and len(coefficients) != len(bottoms):
        raise fields.error(f"has {len(coefficients)} coefficients for {len(bottoms)} bottoms, want one each")
    return Shapes((bottoms[0],), (), {"operation": operation, "coefficients": coefficients or (1.0,) * len(bottoms)})


def batch_norm(fields: Fields) -> Shapes:
    """Weights: mean, variance and the factor by which both are to be divided; with ``scale_bias`` these two too."""
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    if not fields.flag("use_global_stats", True):
        raise fields.error("has use_global_stats: false, by which images of a batch change each other: want true")
    scaled = fields.flag("scale_bias", False) or fields.has("scale_filler") or fields.has("bias_filler")
    weights = (bottom[:1], bottom[:1], (1,), *(bottom[:1], bottom[:1]) * scaled)
    return Shapes((bottom,), weights, {"eps": fields.number("eps", 1e-5)})


def scale(fields: Fields) -> Shapes:
    """A factor, and with ``bias_term`` a summand, per index along ``num_axes`` axes from ``axis``.

    With a second bottom the factors are that.
    """
    bias = fields.flag("bias_term", False)
    if len(fields.bottoms) == 2:
        if bias:
            raise fields.error("has bias_term: true and a second bottom, so a bias for each image: want a layer Bias")
        return _of_second(fields)
    shape, axis = _along_axes(fields)
    return Shapes(fields.bottoms, (shape, shape) if bias else (shape,), {"axis": axis})


def bias(fields: Fields) -> Shapes:
    """A summand per index along ``num_axes`` axes from ``axis``; with a second bottom the summands are that."""
    if len(fields.bottoms) == 2:
        return _of_second(fields)
    shape, axis = _along_axes(fields)
    return Shapes(fields.bottoms, (shape,), {"axis": axis})


def _of_second(fields: Fields) -> Shapes:
    """For each image, and so from the batch axis on, a value per index along the axes that the second bottom has."""
    first, second = fields.bottoms
    axis = fields.whole("axis", 1, least=-len(first) - 1)
    if axis not in (0, -len(first) - 1):
        raise fields.error(f"has a second bottom and axis = {axis}, want axis = 0: each image has values of its own")
    if first[: len(second)] != second:
        raise fields.error(
            f"has a second bottom of shape {second}, want {first} or the first of these numbers, as Flatten gives it"
        )
    return Shapes((first,), (), {"axis": 0})


def _along_axes(fields: Fields) -> tuple[Shape, int]:
    (bottom,) = fields.take(1)
    axis = fields.axis(len(bottom), 1)
    count = fields.whole("num_axes", 1, least=-1)
    if axis + count > len(bottom):
        raise fields.error(f"covers {count} axes from axis {axis + 1}, more than its bottom {bottom} has")
    return (bottom[axis:] if count == -1 else bottom[axis : axis + count]), axis


def inner_product(fields: Fields) -> Shapes:
    """Weights (out, in), or (in, out) if ``transpose``, then the bias."""
    (bottom,) = fields.take(1)
    out, axis = fields.whole("num_output", least=1), fields.axis(len(bottom), 1)
    transpose = fields.flag("transpose", False)
    size = math.prod(bottom[axis:])
    weight = (size, out) if transpose else (out, size)
    return Shapes((bottom[:axis] + (out,),), (weight,) + fields.bias(out), {"axis": axis, "transpose": transpose})


TYPES = (
    LayerType("BatchNorm", batch_norm, group="batch_norm_param", statistics=True, holds=SCALED, keeps=2),
    LayerType("Bias", bias, holds=SCALED),
    LayerType("Eltwise", eltwise, holds=COMBINED),
    LayerType("InnerProduct", inner_product, group="inner_product_param", holds="logits"),
    LayerType("LRN", lrn, keeps=5, widened=_surrounded),
    LayerType("MVN", mvn, keeps=2, wrong_in_place=always),
    LayerType("Scale", scale, holds=SCALED),
    LayerType("Softmax", softmax, holds="probabilities", keeps=2),
)
