"""Layers that slide a window over a map."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...engine.convolution import convolutions, in_parts, sound, spreads
from ...engine.geometry import Pair, Reach, reaches
from ...engine.graph import Dependence, Functions, Local
from ...engine.pooling import LARGE, divisors, largest_around, maxima, means
from ..resolved import Step
from .base import Filters, Tensors, TorchLayer, filter_size, with_bias


def convolution(bottoms: Tensors, weights: Tensors, **settings: Any) -> Tensor:
    """Convolution; a second array of weights is the bias."""
    return _convolutions(*with_bias(weights), **settings).run(bottoms)


def _convolutions(weight: Tensor, bias: Tensor | None, **settings: Any) -> Functions:
    return convolutions(weight, bias, parts=in_parts(weight), **settings)


def _convolution(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    settings = step.shapes.settings
    kernel = weights[0].shape[2:]
    functions = _convolutions(*with_bias(weights), **settings)
    reach = _reaches(step, kernel, settings["dilation"])
    return Local(reach, functions.cut, spread=functions.spread if spreads(kernel, settings["stride"]) else None)


def deconvolution(bottoms: Tensors, weights: Tensors, **settings: Any) -> Tensor:
    """The transposed map of a convolution; a second array of weights is the bias."""
    return _deconvolutions(*with_bias(weights), **settings).run(bottoms)


def _deconvolutions(
    weight: Tensor, bias: Tensor | None, *, stride: Pair, pad: Pair, dilation: Pair, group: int
) -> Functions:
    """The function for a map, and the one for a piece, which gives the outputs that see nothing beyond the piece."""
    inside = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
    beyond = [s - 1 for s in stride]  # outputs behind the last input, before there would be another
    transposed = functional.conv_transpose2d
    return Functions(
        lambda values: transposed(sound(values[0]), weight, bias, stride, pad, 0, group, dilation),
        lambda pieces: transposed(sound(pieces[0]), weight, bias, stride, inside, beyond, group, dilation),
    )


def _deconvolution(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    settings, kernel = step.shapes.settings, weights[0].shape[2:]
    before = [d * (k - 1) - p for d, k, p in zip(settings["dilation"], kernel, settings["pad"])]
    sizes = step.bottoms[0][1:], step.shapes.tops[0][1:]
    reach = reaches(kernel, (1, 1), before, *sizes, settings["dilation"], settings["stride"])
    return Local(reach, _deconvolutions(*with_bias(weights), **settings).cut)


def _outputs_first(weights: Tensors, *, group: int, **settings: Any) -> tuple[Tensor, Tensor | None]:
    weight, bias = with_bias(weights)
    return _turned(weight, group), bias


def _of_outputs_first(weight: Tensor, bias: Tensor | None, *, group: int, **settings: Any) -> Functions:
    return _deconvolutions(_turned(weight, group), bias, group=group, **settings)


def _turned(weight: Tensor, group: int) -> Tensor:
    """Weights (in, out / group, kh, kw) as (out, in / group, kh, kw), and the other way round."""
    return weight.unflatten(0, (group, -1)).transpose(1, 2).flatten(0, 1)


def _deconvolution_work(step: Step, weights: Tensors) -> int:
    """Each weight is used once for each place of the bottom."""
    inside, outside = (math.prod(shape[1:]) for shape in (step.bottoms[0], step.shapes.tops[0]))
    return max(1, weights[0].numel() * inside // outside)


def pooling(
    bottoms: Tensors, weights: Tensors, *, method: str, kernel: Pair, stride: Pair, pad: Pair, size: Pair
) -> Tensor:
    """Maximum or mean over windows; the mean's windows reach into the padding and no further."""
    x = bottoms[0]
    if method == "AVE" and tuple(x.shape[2:]) == kernel and pad == (0, 0):
        return x.mean((2, 3), keepdim=True)
    around = (method, kernel, stride, pad) == ("MAX", (3, 3), (1, 1), (1, 1)) and not torch.is_grad_enabled()
    if around and x.device.type == "cpu" and x[0].numel() >= LARGE:
        return largest_around(x)
    # torch rounds as Caffe does, but takes no pad over half a kernel and no kernel over the padded input.
    if all(2 * p <= k <= n + 2 * p for p, k, n in zip(pad, kernel, x.shape[2:])):
        pool = functional.max_pool2d if method == "MAX" else functional.avg_pool2d
        down = tuple((n + 2 * p - k) // s + 1 for n, p, k, s in zip(x.shape[2:], pad, kernel, stride))
        return pool(x, kernel, stride, pad, ceil_mode=size != down)
    return _pool_padded(x, method, kernel, stride, pad, size)


def _pool_padded(x: Tensor, method: str, kernel: Pair, stride: Pair, pad: Pair, size: Pair) -> Tensor:
    reach = reaches(kernel, stride, pad, x.shape[2:], size)
    around = (*reach[1].border, *reach[0].border)
    if method == "MAX":
        return functional.max_pool2d(functional.pad(x, around, value=-math.inf), kernel, stride)
    total = functional.avg_pool2d(functional.pad(x, around), kernel, stride, divisor_override=1)
    return total / divisors(reach).to(x)


def _pooling(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    method, kernel, stride = (step.shapes.settings[name] for name in ("method", "kernel", "stride"))
    reach = _reaches(step, kernel)
    if method == "MAX":
        return maxima(reach, kernel, stride)
    return means(reach, kernel, stride, divisors(reach).to(device))


def _reaches(step: Step, kernel: Sequence[int], dilation: Sequence[int] = (1, 1)) -> tuple[Reach, Reach]:
    settings = step.shapes.settings
    sizes = step.bottoms[0][1:], step.shapes.tops[0][1:]
    return reaches(kernel, settings["stride"], settings["pad"], *sizes, dilation)


CONVOLUTION = TorchLayer(
    "Convolution",
    convolution,
    kind=_convolution,
    filters=Filters(lambda weights, **settings: with_bias(weights), _convolutions),
    work=filter_size,
    plain=in_parts,
)

LAYERS = (
    CONVOLUTION,
    replace(CONVOLUTION, name="ConvolutionDepthwise"),
    replace(CONVOLUTION, name="DepthwiseConvolution"),
    TorchLayer(
        "Deconvolution",
        deconvolution,
        kind=_deconvolution,
        filters=Filters(_outputs_first, _of_outputs_first),
        work=_deconvolution_work,
    ),
    TorchLayer("Pooling", pooling, kind=_pooling, by_channel=True),
)
