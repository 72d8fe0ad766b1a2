"""Caffe's layers on torch tensors: one function per type of `layer_types.TYPES`, with its settings as keywords.

Each takes a tuple of bottoms (b, ...), the layer's weights, and gives one tensor; none changes its bottoms, but for
`relu` where it is told that it may.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from ..engine.convolution import sound
from ..engine.geometry import reaches
from ..engine.pooling import divisors

Pair = Tuple[int, int]
Tensors = Sequence[Tensor]


#: Elements of maps that a processor's cache is taken to hold.
CACHED = 2**16


def convolution(bottoms: Tensors, weights: Tensors, *, stride: Pair, pad: Pair, dilation: Pair, group: int) -> Tensor:
    """Convolution; a second array of weights is the bias."""
    return functional.conv2d(sound(bottoms[0]), *_with_bias(weights), stride, pad, dilation, group)


def inner_product(bottoms: Tensors, weights: Tensors, *, axis: int, transpose: bool) -> Tensor:
    """Linear map of all axes from ``axis`` on, in C order."""
    weight, bias = _with_bias(weights)
    flat = bottoms[0].flatten(axis + 1) if bottoms[0].dim() > axis + 1 else bottoms[0]
    if not weight.is_mkldnn:
        return functional.linear(flat, weight.t() if transpose else weight, bias)
    if torch.is_grad_enabled() or transpose:
        return functional.linear(flat, weight.to_dense().t() if transpose else weight.to_dense(), bias)
    product = functional.linear(flat.float().contiguous().to_mkldnn(), weight).to_dense()
    return product if bias is None else product.add_(bias)


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


def lrn(bottoms: Tensors, weights: Tensors, *, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Normalisation across channels.

    Shifted sums of squares, several times faster than torch's own pooling over channels. On the CPU as many images at
    a time as stay in the cache.
    """
    x = bottoms[0]
    at_a_time = max(1, CACHED // x[0].numel())
    if x.device.type == "cpu" and len(x) > at_a_time and not torch.is_grad_enabled():
        out = torch.empty_like(x)
        for part, made in zip(x.split(at_a_time), out.split(at_a_time)):
            made.copy_(_lrn(part, size, alpha, beta, k))
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


def relu(bottoms: Tensors, weights: Tensors, *, negative_slope: float, overwrite: bool = False) -> Tensor:
    """Rectifier; may write into its bottom where nothing else reads that."""
    if negative_slope == 0:
        return torch.relu_(bottoms[0]) if overwrite else torch.relu(bottoms[0])
    return functional.leaky_relu(bottoms[0], negative_slope, inplace=overwrite)


def prelu(bottoms: Tensors, weights: Tensors) -> Tensor:
    """Rectifier with learnt slopes."""
    return functional.prelu(bottoms[0], weights[0])


def softmax(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Softmax along an axis, the batch's not counted."""
    return torch.softmax(bottoms[0], axis + 1)


def concat(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Bottoms one after the other along an axis, the batch's not counted."""
    return torch.cat(list(bottoms), axis + 1)


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


def batch_norm(bottoms: Tensors, weights: Tensors, *, eps: float) -> Tensor:
    """Stored mean and variance taken out, both divided by the stored factor; with a factor of 0 both count as 0."""
    mean, deviation = _moments(weights, eps)
    return (bottoms[0] - _along(mean, bottoms[0], 0)) / _along(deviation, bottoms[0], 0)


def _moments(weights: Tensors, eps: float) -> tuple[Tensor, Tensor]:
    mean, variance, factor = weights
    part = torch.where(factor == 0, factor, 1 / factor)
    return mean * part, (variance * part + eps).sqrt()


def scale(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Times the first array of weights, plus the second if there is one."""
    result = bottoms[0] * _along(weights[0], bottoms[0], axis)
    return result + _along(weights[1], result, axis) if len(weights) > 1 else result


def bias(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Plus the array of weights."""
    return bottoms[0] + _along(weights[0], bottoms[0], axis)


def power(bottoms: Tensors, weights: Tensors, *, power: float, scale: float, shift: float) -> Tensor:
    """``(shift + scale x)^power``."""
    linear = bottoms[0] * scale + shift
    return linear if power == 1 else linear.pow(power)


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """``values`` set so that their first axis is axis ``axis`` of ``x``, the batch's not counted."""
    return values.reshape(*values.shape, *(1,) * (x.dim() - 1 - axis - values.dim()))


def _with_bias(weights: Tensors) -> tuple[Any, Any]:
    return weights[0], weights[1] if len(weights) > 1 else None


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda bottoms, weights, **settings: function(bottoms[0], **settings)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "BatchNorm": batch_norm,
    "Bias": bias,
    "Concat": concat,
    "Convolution": convolution,
    "Dropout": _plain(lambda x: x),
    "ELU": _plain(functional.elu),
    "Eltwise": eltwise,
    "InnerProduct": inner_product,
    "LRN": lrn,
    "PReLU": prelu,
    "Pooling": pooling,
    "Power": power,
    "ReLU": relu,
    "Scale": scale,
    "Sigmoid": _plain(torch.sigmoid),
    "Softmax": softmax,
    "TanH": _plain(torch.tanh),
}


def _affine_norm(weights: Tensors, settings: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    mean, deviation = _moments(weights, settings["eps"])
    return 1 / deviation, -mean / deviation


def _affine_scale(weights: Tensors, settings: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    return weights[0], weights[1] if len(weights) > 1 else torch.zeros_like(weights[0])


#: Types that scale and shift each channel: from weights and settings to the gain and the shift.
AFFINE: dict[str, Callable[[Tensors, Mapping[str, Any]], tuple[Tensor, Tensor]]] = {
    "BatchNorm": _affine_norm,
    "Bias": lambda weights, settings: (torch.ones_like(weights[0]), weights[0]),
    "Scale": _affine_scale,
}

__all__: list[str] = ["AFFINE", "FUNCTIONS", "relu"]
