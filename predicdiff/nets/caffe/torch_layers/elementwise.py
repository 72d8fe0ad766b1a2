"""Layers that reckon each value of their only bottom by itself."""

from __future__ import annotations

import math
from typing import Any, Callable

import torch
from torch import Tensor
from torch.nn import functional

from .base import Tensors, TorchLayer, placewise


def clip(bottoms: Tensors, weights: Tensors, *, low: float, high: float) -> Tensor:
    """No less than ``low``, no more than ``high``."""
    return bottoms[0].clamp(low, high)


def clip_over(bottoms: Tensors, weights: Tensors, *, low: float, high: float) -> Tensor:
    """As `clip`, but writes into its bottom."""
    return bottoms[0].clamp_(low, high)


def exp(bottoms: Tensors, weights: Tensors, *, base: float, scale: float, shift: float) -> Tensor:
    """``base^(shift + scale x)``."""
    rate = _log(base)
    return (bottoms[0] * (rate * scale)).exp() * math.exp(rate * shift)


def log(bottoms: Tensors, weights: Tensors, *, base: float, scale: float, shift: float) -> Tensor:
    """The logarithm of ``shift + scale x``."""
    return (bottoms[0] * scale + shift).log() / _log(base)


def _log(base: float) -> float:
    return 1.0 if base == -1 else math.log(base)


def power(bottoms: Tensors, weights: Tensors, *, power: float, scale: float, shift: float) -> Tensor:
    """``(shift + scale x)^power``."""
    linear = bottoms[0] * scale + shift
    return linear if power == 1 else linear.pow(power)


def prelu(bottoms: Tensors, weights: Tensors) -> Tensor:
    """Rectifier with learnt slopes."""
    return functional.prelu(bottoms[0], weights[0].reshape(-1))


def relu(bottoms: Tensors, weights: Tensors, *, negative_slope: float) -> Tensor:
    """Rectifier."""
    return torch.relu(bottoms[0]) if negative_slope == 0 else functional.leaky_relu(bottoms[0], negative_slope)


def relu_over(bottoms: Tensors, weights: Tensors, *, negative_slope: float) -> Tensor:
    """Rectifier that writes into its bottom."""
    if negative_slope == 0:
        return torch.relu_(bottoms[0])
    return functional.leaky_relu(bottoms[0], negative_slope, inplace=True)


def _plain(name: str, function: Callable[..., Tensor], **about: Any) -> TorchLayer:
    """A layer that is a function of one tensor, with the settings by name."""
    return TorchLayer(
        name,
        lambda bottoms, weights, **settings: function(bottoms[0], **settings),
        kind=placewise,
        by_channel=True,
        **about,
    )


LAYERS = (
    _plain("AbsVal", torch.abs),
    _plain("BNLL", lambda x: functional.softplus(x, threshold=50)),
    TorchLayer("Clip", clip, over=clip_over, kind=placewise, by_channel=True),
    _plain("Dropout", lambda x: x, flat=True),
    _plain("ELU", functional.elu),
    TorchLayer("Exp", exp, kind=placewise, by_channel=True),
    TorchLayer("Log", log, kind=placewise, by_channel=True),
    TorchLayer("PReLU", prelu, kind=placewise),
    TorchLayer("Power", power, kind=placewise, by_channel=True),
    TorchLayer("ReLU", relu, over=relu_over, kind=placewise, by_channel=True),
    _plain("Sigmoid", torch.sigmoid),
    _plain("Swish", lambda x, beta: x * torch.sigmoid(beta * x)),
    _plain("TanH", torch.tanh),
    _plain("Threshold", lambda x, threshold: (x > threshold).to(x.dtype)),
)
