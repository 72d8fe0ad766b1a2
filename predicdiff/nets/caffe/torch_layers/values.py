"""Layers that reckon new values, each from its place, from all channels there or from the whole blob."""

from __future__ import annotations

from typing import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...engine.graph import Functions
from .base import Filters, Tensors, TorchLayer, filter_size, placewise, with_bias

#: Elements of maps that a processor's cache is taken to hold.
CACHED = 2**16


def batch_norm(bottoms: Tensors, weights: Tensors, *, eps: float) -> Tensor:
    """Stored mean and variance taken out, both divided by the stored factor; with a factor of 0 both count as 0."""
    mean, deviation = _moments(weights, eps)
    return (bottoms[0] - _along(mean, bottoms[0], 0)) / _along(deviation, bottoms[0], 0)


def _moments(weights: Tensors, eps: float) -> tuple[Tensor, Tensor]:
    mean, variance, factor = weights
    part = torch.where(factor == 0, factor, 1 / factor)
    return mean * part, (variance * part + eps).sqrt()


def bias(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Plus the array of weights."""
    return bottoms[0] + _along(weights[0], bottoms[0], axis)


def scale(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Times the first array of weights, plus the second if there is one."""
    result = bottoms[0] * _along(weights[0], bottoms[0], axis)
    return result + _along(weights[1], result, axis) if len(weights) > 1 else result


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """``values`` set so that their first axis is axis ``axis`` of ``x``, the batch's not counted."""
    return values.reshape(*values.shape, *(1,) * (x.dim() - 1 - axis - values.dim()))


def eltwise(bottoms: Tensors, weights: Tensors, *, operation: str, coefficients: Sequence[float]) -> Tensor:
    """Sum with coefficients, product or maximum."""
    if operation == "SUM":
        total = bottoms[0] * coefficients[0]
        for bottom, coefficient in zip(bottoms[1:], coefficients[1:]):
            total = torch.add(total, bottom, alpha=coefficient)
        return total
    combine = torch.mul if operation == "PROD" else _larger
    result = combine(bottoms[0], bottoms[1])
    for bottom in bottoms[2:]:
        result = combine(result, bottom)
    return result


def _larger(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a > b, a, b)  # of equals Caffe takes the second, and sends it the gradient


def inner_product(bottoms: Tensors, weights: Tensors, *, axis: int, transpose: bool) -> Tensor:
    """Linear map of all axes from ``axis`` on, in C order."""
    weight, bias = with_bias(weights)
    flat = bottoms[0].flatten(axis + 1) if bottoms[0].dim() > axis + 1 else bottoms[0]
    if not weight.is_mkldnn:
        return functional.linear(flat, weight.t() if transpose else weight, bias)
    if torch.is_grad_enabled() or transpose:
        return functional.linear(flat, weight.to_dense().t() if transpose else weight.to_dense(), bias)
    product = functional.linear(flat.float().contiguous().to_mkldnn(), weight).to_dense()
    return product if bias is None else product.add_(bias)


def lrn(bottoms: Tensors, weights: Tensors, *, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Normalisation across channels.

    Shifted sums of squares, several times faster than torch's own pooling over channels. On the CPU as many images at
    a time as stay in the cache.
    """
    x = bottoms[0]
    at_a_time = max(1, CACHED // x[0].numel())
    if x.device.type == "cpu" and len(x) > at_a_time and not torch.is_grad_enabled():
        out = torch.empty_like(x)
        for part, room in zip(x.split(at_a_time), out.split(at_a_time)):
            room.copy_(_lrn(part, size, alpha, beta, k))
        return out
    return _lrn(x, size, alpha, beta, k)


def _lrn(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # sums, of whatever products were rounded to
    squares = wide * wide
    total = squares.clone()
    for shift in range(1, min(size // 2, x.shape[1] - 1) + 1):
        total[:, shift:] += squares[:, :-shift]
        total[:, :-shift] += squares[:, shift:]
    total = total.mul_(alpha / size).add_(k)
    if beta != 0.75:
        return (wide * total.pow(-beta)).to(x.dtype)
    root = total.rsqrt()
    return (wide * root * root.sqrt()).to(x.dtype)


def power(bottoms: Tensors, weights: Tensors, *, power: float, scale: float, shift: float) -> Tensor:
    """``(shift + scale x)^power``."""
    linear = bottoms[0] * scale + shift
    return linear if power == 1 else linear.pow(power)


def prelu(bottoms: Tensors, weights: Tensors) -> Tensor:
    """Rectifier with learnt slopes."""
    return functional.prelu(bottoms[0], weights[0])


def relu(bottoms: Tensors, weights: Tensors, *, negative_slope: float) -> Tensor:
    """Rectifier."""
    return torch.relu(bottoms[0]) if negative_slope == 0 else functional.leaky_relu(bottoms[0], negative_slope)


def relu_over(bottoms: Tensors, weights: Tensors, *, negative_slope: float) -> Tensor:
    """Rectifier that writes into its bottom."""
    if negative_slope == 0:
        return torch.relu_(bottoms[0])
    return functional.leaky_relu(bottoms[0], negative_slope, inplace=True)


def softmax(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Softmax along an axis, the batch's not counted."""
    return torch.softmax(bottoms[0], axis + 1)


def _affine_norm(weights: Tensors, *, eps: float) -> tuple[Tensor, Tensor]:
    mean, deviation = _moments(weights, eps)
    return 1 / deviation, -mean / deviation


def _affine_bias(weights: Tensors, *, axis: int) -> tuple[Tensor, Tensor]:
    return torch.ones_like(weights[0]), weights[0]


def _affine_scale(weights: Tensors, *, axis: int) -> tuple[Tensor, Tensor]:
    return weights[0], weights[1] if len(weights) > 1 else torch.zeros_like(weights[0])


def _own_linear(weights: Tensors, *, axis: int, transpose: bool) -> tuple[Tensor, Tensor | None]:
    weight, bias = with_bias(weights)
    dense = weight.to_dense() if weight.is_mkldnn else weight
    return dense.t() if transpose else dense, bias


def _linear(weight: Tensor, bias: Tensor | None, *, axis: int, transpose: bool) -> Functions:
    return Functions(*(lambda bottoms: functional.linear(bottoms[0].flatten(1), weight, bias),) * 2)


def _gives_channels(*, axis: int, transpose: bool) -> bool:
    """With another axis there is one output for each row of the bottom."""
    return axis == 0


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of one tensor as a layer's ``run``."""
    return lambda bottoms, weights, **settings: function(bottoms[0], **settings)


LAYERS = (
    TorchLayer("BatchNorm", batch_norm, kind=placewise, affine=_affine_norm),
    TorchLayer("Bias", bias, kind=placewise, affine=_affine_bias),
    TorchLayer("Dropout", _plain(lambda x: x), kind=placewise, by_channel=True, flat=True),
    TorchLayer("ELU", _plain(functional.elu), kind=placewise, by_channel=True),
    TorchLayer("Eltwise", eltwise, kind=placewise),
    TorchLayer(
        "InnerProduct",
        inner_product,
        filters=Filters(_own_linear, _linear, _gives_channels),
        work=filter_size,
        packed=True,
    ),
    TorchLayer("LRN", lrn, kind=placewise),
    TorchLayer("PReLU", prelu, kind=placewise),
    TorchLayer("Power", power, kind=placewise, by_channel=True),
    TorchLayer("ReLU", relu, over=relu_over, kind=placewise, by_channel=True),
    TorchLayer("Scale", scale, kind=placewise, affine=_affine_scale),
    TorchLayer("Sigmoid", _plain(torch.sigmoid), kind=placewise, by_channel=True),
    TorchLayer("Softmax", softmax),
    TorchLayer("TanH", _plain(torch.tanh), kind=placewise, by_channel=True),
)
