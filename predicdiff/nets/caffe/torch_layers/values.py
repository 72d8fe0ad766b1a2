"""Layers that reckon new values from all channels of a place, from several bottoms or weights, or from all."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...engine.geometry import reaches
from ...engine.graph import Dependence, Functions, Local, Pointwise, Whole
from ..resolved import Step
from .base import Filters, Tensors, TorchLayer, filter_size, placewise, wide, with_bias, with_shape

#: Elements of maps that a processor's cache is taken to hold.
CACHED = 2**16
#: Variances below this count as it, since a root has no gradient at 0; `mvn`'s eps is far above its root.
LEAST = 1e-30


def batch_norm(bottoms: Tensors, weights: Tensors, *, eps: float) -> Tensor:
    """Stored mean and variance taken out, then the stored scale and bias, if there are any."""
    mean, deviation = _moments(weights, eps)
    result = (bottoms[0] - along(mean, bottoms[0], 0)) / along(deviation, bottoms[0], 0)
    return result if len(weights) == 3 else scale([result], weights[3:], axis=0)


def _moments(weights: Tensors, eps: float) -> tuple[Tensor, Tensor]:
    """Mean and deviation, both divided by the stored factor.

    With a factor of 0 both count as 0, but not where scale and bias follow: that Caffe leaves the factor out.
    """
    mean, variance, factor = weights[:3]
    part = torch.where(factor == 0, factor if len(weights) == 3 else torch.ones_like(factor), 1 / factor)
    return mean * part, (variance * part + eps).sqrt()


def bias(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Plus the array of weights, or the second bottom."""
    if len(bottoms) == 2:
        return bottoms[0] + _each_along(bottoms[1], bottoms[0])
    return bottoms[0] + along(weights[0], bottoms[0], axis)


def scale(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Times the first array of weights, plus the second if there is one; or times the second bottom."""
    if len(bottoms) == 2:
        return bottoms[0] * _each_along(bottoms[1], bottoms[0])
    result = bottoms[0] * along(weights[0], bottoms[0], axis)
    return result + along(weights[1], result, axis) if len(weights) > 1 else result


def _each_along(values: Tensor, x: Tensor) -> Tensor:
    """``values`` (b, ...) set so that their axes are the first of ``x``."""
    return values.reshape(*values.shape, *(1,) * (x.dim() - values.dim()))


def _along_or_second(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    """A second bottom that has no places acts on all places of the first."""
    if len(step.bottoms) == 2:
        return Pointwise() if step.bottoms[0] == step.bottoms[1] and len(step.bottoms[0]) == 3 else Whole()
    return placewise(step, weights, device)


def along(values: Tensor, x: Tensor, axis: int) -> Tensor:
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


def lrn(
    bottoms: Tensors, weights: Tensors, *, size: int, alpha: float, beta: float, k: float, within: bool = False
) -> Tensor:
    """Normalisation across channels, or ``within`` each.

    Across them, shifted sums of squares, several times faster than torch's own pooling over channels. On the CPU as
    many images at a time as stay in the cache.
    """
    x = bottoms[0]
    if within:
        return _lrn_within(functional.pad(x, (size // 2,) * 4), size, alpha, beta)
    at_a_time = max(1, CACHED // x[0].numel())
    if x.device.type == "cpu" and len(x) > at_a_time and not torch.is_grad_enabled():
        out = torch.empty_like(x)
        for part, room in zip(x.split(at_a_time), out.split(at_a_time)):
            room.copy_(_lrn(part, size, alpha, beta, k))
        return out
    return _lrn(x, size, alpha, beta, k)


def _lrn(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    values = wide(x)
    squares = values * values
    total = squares.clone()
    for shift in range(1, min(size // 2, x.shape[1] - 1) + 1):
        total[:, shift:] += squares[:, :-shift]
        total[:, :-shift] += squares[:, shift:]
    return _divided(values, total.mul_(alpha / size).add_(k), beta).to(x.dtype)


def _lrn_within(piece: Tensor, size: int, alpha: float, beta: float) -> Tensor:
    """Of pieces that have what lies around them, 0 beyond the border: by the mean square of ``size x size`` places."""
    values, around = wide(piece), size // 2
    inside = values[:, :, around : values.shape[2] - around, around : values.shape[3] - around]
    total = functional.avg_pool2d(values * values, size, 1).mul_(alpha).add_(1)
    return _divided(inside, total, beta).to(piece.dtype)


def _divided(x: Tensor, by: Tensor, beta: float) -> Tensor:
    """``x by^-beta``."""
    if beta != 0.75:
        return x * by.pow(-beta)
    root = by.rsqrt()
    return x * root * root.sqrt()


def _lrn_region(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    """Across channels a place depends on itself alone, within one on its neighbourhood."""
    settings = step.shapes.settings
    if not settings.get("within"):
        return placewise(step, weights, device)
    size, alpha, beta = settings["size"], settings["alpha"], settings["beta"]
    sizes = step.bottoms[0][1:], step.shapes.tops[0][1:]
    reach = reaches((size, size), (1, 1), (size // 2, size // 2), *sizes)
    return Local(reach, lambda pieces: _lrn_within(pieces[0], size, alpha, beta))


def mvn(
    bottoms: Tensors, weights: Tensors, *, across: bool, divide: bool, eps: float, shape: tuple[int, ...]
) -> Tensor:
    """Mean taken out of each map, or of all of them, and divided by the deviation."""
    x = wide(bottoms[0]).reshape(len(bottoms[0]), *shape)
    axes = (1, 2, 3) if across else (2, 3)
    result = x - x.mean(axes, keepdim=True)
    if divide:
        variance = result.square().mean(axes, keepdim=True)
        result = result / (variance.clamp(min=LEAST).sqrt() + eps)
    return result.to(bottoms[0].dtype)


def softmax(bottoms: Tensors, weights: Tensors, *, axis: int) -> Tensor:
    """Softmax along an axis, the batch's not counted."""
    return torch.softmax(bottoms[0], axis + 1)


def _affine_norm(weights: Tensors, *, eps: float) -> tuple[Tensor, Tensor]:
    mean, deviation = _moments(weights, eps)
    if len(weights) == 3:
        return 1 / deviation, -mean / deviation
    return weights[3] / deviation, weights[4] - mean * weights[3] / deviation


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


LAYERS = (
    TorchLayer("BatchNorm", batch_norm, kind=placewise, affine=_affine_norm),
    TorchLayer("Bias", bias, kind=_along_or_second, affine=_affine_bias),
    TorchLayer("Eltwise", eltwise, kind=placewise),
    TorchLayer(
        "InnerProduct",
        inner_product,
        filters=Filters(_own_linear, _linear, _gives_channels),
        work=filter_size,
        packed=True,
    ),
    TorchLayer("LRN", lrn, kind=_lrn_region),
    TorchLayer("MVN", mvn, arguments=with_shape),
    TorchLayer("Scale", scale, kind=_along_or_second, affine=_affine_scale),
    TorchLayer("Softmax", softmax),
)
