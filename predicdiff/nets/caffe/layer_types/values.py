"""Layer types that reckon new values, each from its place, from all channels there or from the whole blob."""

from __future__ import annotations

import math
from typing import Callable

from ...engine.geometry import Shape
from ..fields import Fields
from .base import SAME, SCALED, LayerType, Shapes


def same(**numbers: float) -> Callable[[Fields], Shapes]:
    """Make the function of a type that keeps its bottom's shape and has ``numbers`` alone for settings."""

    def function(fields: Fields) -> Shapes:
        return Shapes(fields.take(1), (), {name: fields.number(name, value) for name, value in numbers.items()})

    return function


def prelu(fields: Fields) -> Shapes:
    """A slope below zero per channel, or one for all."""
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    return Shapes((bottom,), ((1,) if fields.flag("channel_shared", False) else bottom[:1],))


def lrn(fields: Fields) -> Shapes:
    """``x (k + alpha / size * (sum of x^2 over size channels))^-beta``."""
    bottom = fields.image()
    if fields.choice("norm_region", "ACROSS_CHANNELS", ("ACROSS_CHANNELS", "WITHIN_CHANNEL")) == "WITHIN_CHANNEL":
        raise fields.error("has norm_region WITHIN_CHANNEL, which is not known here: want ACROSS_CHANNELS")
    size = fields.whole("local_size", 5, least=1)
    if size % 2 == 0:
        raise fields.error(f"has local_size {size}, want an odd number")
    numbers = {"alpha": fields.number("alpha", 1.0), "beta": fields.number("beta", 0.75), "k": fields.number("k", 1.0)}
    return Shapes((bottom,), (), {"size": size, **numbers})


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
    """Weights: mean, variance and the factor by which both are to be divided."""
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    if not fields.flag("use_global_stats", True):
        raise fields.error("has use_global_stats: false, by which images of a batch change each other: want true")
    weights = (bottom[:1], bottom[:1], (1,))
    return Shapes((bottom,), weights, {"eps": fields.number("eps", 1e-5)})


def scale(fields: Fields) -> Shapes:
    """A factor, and with ``bias_term`` a summand, per index along ``num_axes`` axes from ``axis``."""
    shape, axis = _along_axes(fields)
    bias = fields.flag("bias_term", False)
    return Shapes(fields.bottoms, (shape, shape) if bias else (shape,), {"axis": axis})


def bias(fields: Fields) -> Shapes:
    """A summand per index along ``num_axes`` axes from ``axis``."""
    shape, axis = _along_axes(fields)
    return Shapes(fields.bottoms, (shape,), {"axis": axis})


def _along_axes(fields: Fields) -> tuple[Shape, int]:
    if len(fields.bottoms) == 2:
        raise fields.error(
            "takes its values from a second bottom, which is not known here: want them among the weights"
        )
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
    LayerType("Dropout", same(), shares=True, holds=SAME),
    LayerType("ELU", same(alpha=1.0)),
    LayerType("Eltwise", eltwise),
    LayerType("InnerProduct", inner_product, group="inner_product_param", holds="logits"),
    LayerType("LRN", lrn, keeps=2),
    LayerType("PReLU", prelu),
    LayerType("Power", same(power=1.0, scale=1.0, shift=0.0), holds=SCALED, backward_in_place=False),
    LayerType("ReLU", same(negative_slope=0.0)),
    LayerType("Scale", scale, holds=SCALED),
    LayerType("Sigmoid", same(), holds="sigmoid"),
    LayerType("Softmax", softmax, holds="probabilities", keeps=2),
    LayerType("TanH", same()),
)
