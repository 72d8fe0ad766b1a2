"""Layers that BVLC's Caffe has not, as its best known forks compute them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...engine.graph import Dependence, Pointwise, Whole
from ..resolved import Step
from .base import Tensors, TorchLayer, placewise, wide
from .values import along, scale


def axpy(bottoms: Tensors, weights: Tensors) -> Tensor:
    """``a x + y`` with a factor ``a`` for each channel."""
    factor, x, y = bottoms
    return scale([x, factor.flatten(1)], (), axis=0) + y


def bn(bottoms: Tensors, weights: Tensors, **settings: Any) -> Tensor:
    """Mean and deviation taken out, if they are among the weights, then scaled and shifted."""
    x = bottoms[0]
    if len(weights) == 4:
        x = (x - along(weights[2], x, 0)) / along(_deviation(weights, **settings), x, 0)
    return scale([x], weights[:2], axis=0)


def _deviation(weights: Tensors, *, eps: float) -> Tensor:
    return (weights[3] + eps).sqrt()


def _affine(weights: Tensors, **settings: Any) -> tuple[Tensor, Tensor]:
    if len(weights) == 2:
        return weights[0], weights[1]
    gain = weights[0] / _deviation(weights, **settings)
    return gain, weights[1] - weights[2] * gain


def normalize(bottoms: Tensors, weights: Tensors, *, across: bool, eps: float) -> Tensor:
    """Divided by the root of the sum of squares, of all places or of each, then scaled."""
    x = wide(bottoms[0])
    total = x.square().sum(tuple(range(1, x.dim())) if across else 1, keepdim=True)
    return (x / (total + eps).sqrt() * along(weights[0], x, 0)).to(bottoms[0].dtype)


def _of_each_place(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    return Whole() if step.shapes.settings["across"] else placewise(step, weights, device)


def permute(bottoms: Tensors, weights: Tensors, *, axes: tuple[int, ...]) -> Tensor:
    """The axes in another order, the batch's not counted."""
    return bottoms[0].permute(0, *(axis + 1 for axis in axes)).contiguous()


def _if_in_place(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    """Rows and columns lie where they did only if no axis moves."""
    return Pointwise() if step.shapes.settings["axes"] == (0, 1, 2) else Whole()


def relu6(bottoms: Tensors, weights: Tensors, *, negative_slope: float) -> Tensor:
    """Rectifier up to 6."""
    return functional.leaky_relu(bottoms[0], negative_slope).clamp(max=6)


def relu6_over(bottoms: Tensors, weights: Tensors, *, negative_slope: float) -> Tensor:
    """As `relu6`, but writes into its bottom."""
    return functional.leaky_relu(bottoms[0], negative_slope, inplace=True).clamp_(max=6)


def shuffle_channel(bottoms: Tensors, weights: Tensors, *, group: int) -> Tensor:
    """The first channel of each group, then the second of each."""
    return torch.channel_shuffle(bottoms[0], group)


LAYERS = (
    TorchLayer("Axpy", axpy),
    TorchLayer("BN", bn, kind=placewise, affine=_affine),
    TorchLayer("Normalize", normalize, kind=_of_each_place),
    TorchLayer("Permute", permute, kind=_if_in_place),
    TorchLayer("ReLU6", relu6, over=relu6_over, kind=placewise, by_channel=True),
    TorchLayer("ShuffleChannel", shuffle_channel, kind=placewise),
)
