"""Layers as functions of one image (C, H, W) in float64, straight from their definitions; for every engine."""

from __future__ import annotations

from types import MappingProxyType
from typing import Callable, Mapping, NamedTuple, Sequence

import numpy as np

from helpers import loops
from helpers.formulas import draw
from helpers.records import layer
from predicdiff.nets.caffe.records import Layer

SHAPE = (4, 3, 5)

Function = Callable[[np.ndarray], np.ndarray]


class Case(NamedTuple):
    """Layers that make ``top`` of ``data``, what they make of it, and weights by the layer's name."""

    layers: Sequence[Layer]
    function: Function
    weights: Mapping[str, list[np.ndarray]] = MappingProxyType({})


def one(kind: str, function: Function, **fields: object) -> Case:
    """A single layer without weights."""
    return Case([layer(kind, "data", "top", **fields)], function)


def lrn_within(x: np.ndarray) -> np.ndarray:
    """Size 3, alpha 0.8, beta 0.6."""
    result = np.zeros(x.shape)
    for c, i, j in np.ndindex(*x.shape):
        around = x[c, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
        result[c, i, j] = x[c, i, j] * (1 + 0.8 / 9 * (around**2).sum()) ** -0.6
    return result


def mvn(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    centred = x - x.mean(axes, keepdims=True)
    return centred / (np.sqrt((centred**2).mean(axes, keepdims=True)) + 1e-9)


def pyramid(x: np.ndarray, method: str) -> np.ndarray:
    """All of 3 x 5, then windows of 2 x 3: along rows from -1 and 1 on, along columns from -1 and 2 on."""
    whole = loops.pooling(x, method, (3, 5), (3, 5), (0, 0), (1, 1))
    return np.concatenate([whole.ravel(), loops.pooling(x, method, (2, 3), (2, 3), (1, 1), (2, 2)).ravel()])


def gated(x: np.ndarray) -> np.ndarray:
    return x * x.mean((1, 2), keepdims=True)


GATE = [layer("Pooling", "data", "mean", pool="AVE", global_pooling=True), layer("Flatten", "mean", "gate")]
WITHIN = {"norm_region": "WITHIN_CHANNEL", "local_size": 3, "alpha": 0.8, "beta": 0.6}

#: What BVLC's Caffe has.
OFFICIAL = {
    "absolute value": one("AbsVal", np.abs),
    "softplus": one("BNLL", lambda x: np.log1p(np.exp(x))),
    "clip": one("Clip", lambda x: np.clip(x, -0.5, 0.8), min=-0.5, max=0.8),
    "exponential": one("Exp", np.exp),
    "exponential, shifted": one("Exp", lambda x: np.exp(0.5 + 2 * x), scale=2.0, shift=0.5),
    "power of 2": one("Exp", lambda x: 2 ** (0.5 - x), base=2.0, scale=-1.0, shift=0.5),
    "logarithm": one("Log", lambda x: np.log(9 + 2 * x), scale=2.0, shift=9.0),
    "logarithm of base 10": one("Log", lambda x: np.log10(9 + x), base=10.0, shift=9.0),
    "swish": one("Swish", lambda x: x / (1 + np.exp(-1.5 * x)), beta=1.5),
    "lrn within channels": one("LRN", lrn_within, **WITHIN),
    "mvn": one("MVN", lambda x: mvn(x, (1, 2))),
    "mvn across channels": one("MVN", lambda x: mvn(x, (0, 1, 2)), across_channels=True),
    "means taken out": one("MVN", lambda x: x - x.mean((1, 2), keepdims=True), normalize_variance=False),
    "sum": one("Reduction", lambda x: 2 * x.sum((1, 2)), axis=2, coeff=2.0),
    "sum of magnitudes": one("Reduction", lambda x: np.abs(x).sum(2), axis=-1, operation="ASUM"),
    "sum of squares": one("Reduction", lambda x: (x**2).sum((1, 2)), axis=2, operation="SUMSQ"),
    "mean": one("Reduction", lambda x: x.mean((1, 2)), axis=2, operation="MEAN"),
    "tiles": one("Tile", lambda x: np.concatenate([x, x, x]), tiles=3),
    "tiles of columns": one("Tile", lambda x: np.concatenate([x, x], 2), axis=3, tiles=2),
    "pyramid": one("SPP", lambda x: pyramid(x, "MAX"), pyramid_height=2),
    "pyramid of means": one("SPP", lambda x: pyramid(x, "AVE"), pyramid_height=2, pool="AVE"),
    "scale by a second bottom": Case([*GATE, layer("Scale", "data gate", "top", axis=0)], gated),
    "scale by one of all places": Case([layer("Scale", "data data", "top", axis=-4)], np.square),
    "bias by a second bottom": Case(
        [*GATE, layer("Bias", "data gate", "top", axis=0)], lambda x: x + x.mean((1, 2), keepdims=True)
    ),
    "max-out": Case(
        [layer("Slice", "data", "a b", name="halves"), layer("Eltwise", "a b", "top", operation="MAX")],
        lambda x: np.maximum(x[:2], x[2:]),
    ),
    "silence": Case(
        [layer("Power", "data", "top", scale=3.0), layer("Power", "data", "unread"),
         Layer("hush", "Silence", ("unread",), (), {})],
        lambda x: 3 * x,
    ),
}  # fmt: skip

A, B, C = draw((4,), 8), draw((4,), 9), draw((4,), 10)
DEPTHS = draw((4, 1, 3, 3), 11)


def spread(values: np.ndarray) -> np.ndarray:
    return values[:, None, None].astype(np.float64)


def normed(x: np.ndarray, eps: float) -> np.ndarray:
    return (x - spread(A)) / np.sqrt(spread(B) ** 2 + eps)


def depthwise(x: np.ndarray) -> np.ndarray:
    return loops.convolution(x, DEPTHS, A, (2, 2), (1, 1), (1, 1), 4)


def with_weights(kind: str, weights: list[np.ndarray], function: Function, **fields: object) -> Case:
    """A single layer with weights."""
    return Case([layer(kind, "data", "top", **fields)], function, {"top": weights})


SIDES = {"num_output": 4, "kernel_size": [3], "stride": [2], "pad": [1]}
#: What its forks have besides.
FORKS = {
    "axpy": Case([*GATE, layer("Axpy", "mean data data", "top")], lambda x: gated(x) + x),
    "axpy of a vector": Case([*GATE, layer("Axpy", "gate data data", "top")], lambda x: gated(x) + x),
    "batch norm that scales": with_weights(
        "BatchNorm", [2 * A, 2 * B**2, np.array([2.0]), C, A],
        lambda x: normed(x, 0.1) * spread(C) + spread(A), scale_bias=True, eps=0.1,
    ),
    "batch norm that scales, factor 0": with_weights(
        "BatchNorm", [A, B**2, np.array([0.0]), C, A],
        lambda x: normed(x, 1e-5) * spread(C) + spread(A), scale_filler={"value": 1.0},
    ),
    "BN": with_weights("BN", [C, A, A, B**2], lambda x: normed(x, 0.1) * spread(C) + spread(A), eps=0.1),
    "BN, worked in": with_weights("BN", [C, A], lambda x: x * spread(C) + spread(A), bn_mode="INFERENCE"),
    "depthwise": with_weights("ConvolutionDepthwise", [DEPTHS, A], depthwise, **SIDES),
    "depthwise by its groups": with_weights("DepthwiseConvolution", [DEPTHS, A], depthwise, group=4, **SIDES),
    "normalised": with_weights(
        "Normalize", [np.float32(20)], lambda x: 20 * x / np.sqrt((x**2).sum() + 0.5), eps=0.5
    ),
    "normalised place by place": with_weights(
        "Normalize", [A], lambda x: spread(A) * x / np.sqrt((x**2).sum(0)), across_spatial=False, channel_shared=False
    ),
    "permuted": one("Permute", lambda x: x.transpose(1, 2, 0), order=[0, 2, 3, 1]),
    "ReLU6": one("ReLU6", lambda x: np.clip(x, 0, 6)),
    "shuffled": one("ShuffleChannel", lambda x: x[[0, 2, 1, 3]], group=2),
}  # fmt: skip
