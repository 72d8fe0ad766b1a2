"""Layers that slide a window over a map."""

from __future__ import annotations

import math
from typing import Any, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...engine.convolution import convolutions
from ...engine.geometry import Reach, reaches
from ...engine.graph import Kind, Local
from ...engine.pooling import divisors, maxima, means
from ..resolved import Step
from .base import Filters, Pair, Tensors, TorchLayer, filter_size, with_bias


def convolution(bottoms: Tensors, weights: Tensors, **settings: Any) -> Tensor:
    """Convolution; a second array of weights is the bias."""
    return convolutions(*with_bias(weights), **settings)[0](bottoms)


def _convolution(step: Step, weights: Tensors, device: torch.device) -> Kind:
    settings = step.shapes.settings
    reach = _reaches(step, weights[0].shape[2:], settings["dilation"])
    return Local(reach, convolutions(*with_bias(weights), **settings)[1])


def pooling(
    bottoms: Tensors, weights: Tensors, *, method: str, kernel: Pair, stride: Pair, pad: Pair, size: Pair
) -> Tensor:
    """Maximum or mean over windows; the mean's windows reach into the padding and no further."""
    x = bottoms[0]
    if method == "AVE" and tuple(x.shape[2:]) == kernel and pad == (0, 0):
        return x.mean((2, 3), keepdim=True)
    # torch rounds as Caffe does, but takes no pad over half a kernel and no kernel over the padded input.
    if all(2 * p <= k <= n + 2 * p for p, k, n in zip(pad, kernel, x.shape[2:])):
        pool = functional.max_pool2d if method == "MAX" else functional.avg_pool2d
        return pool(x, kernel, stride, pad, ceil_mode=True)
    return _pool_padded(x, method, kernel, stride, pad, size)


def _pool_padded(x: Tensor, method: str, kernel: Pair, stride: Pair, pad: Pair, size: Pair) -> Tensor:
    reach = reaches(kernel, stride, pad, x.shape[2:], size)
    around = (pad[1], reach[1].after, pad[0], reach[0].after)
    if method == "MAX":
        return functional.max_pool2d(functional.pad(x, around, value=-math.inf), kernel, stride)
    total = functional.avg_pool2d(functional.pad(x, around), kernel, stride, divisor_override=1)
    return total / divisors(reach).to(x)


def _pooling(step: Step, weights: Tensors, device: torch.device) -> Kind:
    method, kernel, stride = (step.shapes.settings[name] for name in ("method", "kernel", "stride"))
    reach = _reaches(step, kernel)
    if method == "MAX":
        return maxima(reach, kernel, stride)
    return means(reach, kernel, stride, divisors(reach).to(device))


def _reaches(step: Step, kernel: Sequence[int], dilation: Sequence[int] = (1, 1)) -> tuple[Reach, Reach]:
    settings = step.shapes.settings
    sizes = step.bottoms[0][1:], step.shapes.tops[0][1:]
    return reaches(kernel, settings["stride"], settings["pad"], *sizes, dilation)


LAYERS = (
    TorchLayer(
        "Convolution",
        convolution,
        kind=_convolution,
        filters=Filters(lambda weights, **settings: with_bias(weights), convolutions),
        work=filter_size,
    ),
    TorchLayer("Pooling", pooling, kind=_pooling, by_channel=True),
)
