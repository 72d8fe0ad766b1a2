"""Layer types that BVLC's Caffe has not, as its best known forks define them.

`windows` has their depthwise convolutions, and `values` the `BatchNorm` of NVIDIA's Caffe, which scales too.
"""

from __future__ import annotations

from ..fields import Fields
from .base import SAME, SCALED, LayerType, Shapes
from .elementwise import same


def axpy(fields: Fields) -> Shapes:
    """``a x + y``, with a factor ``a`` for each channel: SENet's Caffe."""
    factor, x, y = fields.take(3, 3)
    if x != y or factor not in (x[:1], (*x[:1], 1, 1)):
        raise fields.error(
            f"joins blobs of shapes {factor}, {x} and {y}, want the last two equal and the first with a number for "
            "each of their channels"
        )
    return Shapes((x,))


def bn(fields: Fields) -> Shapes:
    """Batch norm with scale and bias: PSPNet's Caffe, with mean and variance; SegNet's, which has them worked in.

    Weights: scale, bias, mean and variance; with ``bn_mode: INFERENCE`` scale and bias alone.
    """
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    learns = fields.choice("bn_mode", "INFERENCE", ("INFERENCE", "LEARN")) == "LEARN"
    if learns or not fields.flag("moving_average", True):
        raise fields.error(
            "takes mean and variance of each batch, by which its images change each other: want moving averages "
            "(moving_average: true), or bn_mode: INFERENCE and the weights for it"
        )
    fields.only_channel_axis()
    if fields.has("bn_mode"):
        return Shapes((bottom,), (bottom[:1],) * 2)
    eps = fields.number("var_eps" if fields.has("var_eps") else "eps", 1e-5)
    return Shapes((bottom,), (bottom[:1],) * 4, {"eps": eps})


def normalize(fields: Fields) -> Shapes:
    """Divided by the root of the sum of squares of a place, or of all: SSD's Caffe. Weights: a factor for each channel.

    The factor is one for all where it is ``channel_shared``.
    """
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    settings = {"across": fields.flag("across_spatial", True), "eps": fields.number("eps", 1e-10)}
    return Shapes((bottom,), (() if fields.flag("channel_shared", True) else bottom[:1],), settings)


def permute(fields: Fields) -> Shapes:
    """The axes in another order, and those that ``order`` leaves out behind: SSD's Caffe."""
    (bottom,) = fields.take(1)
    given = fields.wholes("order")
    order = (*given, *(axis for axis in range(len(bottom) + 1) if axis not in given))
    if sorted(order) != list(range(len(bottom) + 1)) or order[0] != 0:
        raise fields.error(
            f"has order {list(given)}, want 0, the batch axis, and then axes up to {len(bottom)}, once each"
        )
    axes = tuple(axis - 1 for axis in order[1:])
    return Shapes((tuple(bottom[axis] for axis in axes),), (), {"axes": axes})


def shuffle_channel(fields: Fields) -> Shapes:
    """Of ``group`` groups of channels the first of each, then the second of each: ShuffleNet's Caffe."""
    bottom = fields.image()
    group = fields.whole("group", 1, least=1)
    if bottom[0] % group:
        raise fields.error(f"has {bottom[0]} channels, want a multiple of group = {group}")
    return Shapes((bottom,), (), {"group": group})


TYPES = (
    LayerType("Axpy", axpy),
    LayerType("BN", bn, statistics=True, holds=SCALED, keeps=2),
    LayerType("Normalize", normalize, group="norm_param"),
    LayerType("Permute", permute, holds=SAME),
    LayerType("ReLU6", same(negative_slope=0.0)),
    LayerType("ShuffleChannel", shuffle_channel, group="shuffle_channel_param"),
)
