"""Layers that make few values of many places: sums, the largest ones, pyramids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Sequence

import torch
from torch import Tensor

from .base import Tensors, TorchLayer, placewise, with_shape
from .windows import pooling

#: What is made of the values (b, ..., n) that become one.
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "SUM": lambda x: x.sum(-1),
    "ASUM": lambda x: x.abs().sum(-1),
    "SUMSQ": lambda x: x.square().sum(-1),
    "MEAN": lambda x: x.mean(-1),
}


def reduction(bottoms: Tensors, weights: Tensors, *, axis: int, operation: str, factor: float) -> Tensor:
    """One number of all axes from ``axis`` on, the batch's not counted."""
    return REDUCTIONS[operation](bottoms[0].flatten(axis + 1)) * factor


def arg_max(bottoms: Tensors, weights: Tensors, *, axis: int | None, most: int, values: bool, shape: Any) -> Tensor:
    """Indices of the largest values, of equals the later one first, as in Caffe; or these values, or both."""
    if axis is None:
        both = _largest(bottoms[0].flatten(1), 1, most)
        return torch.cat(both[: 1 + values], 1).reshape(-1, *shape)
    indices, largest = _largest(bottoms[0], axis + 1, most)
    return largest if values else indices


def _largest(x: Tensor, along: int, most: int) -> tuple[Tensor, Tensor]:
    """Indices and values."""
    values, order = x.flip(along).sort(dim=along, descending=True, stable=True)
    indices = x.shape[along] - 1 - order.narrow(along, 0, most)
    return indices.to(x.dtype), values.narrow(along, 0, most)


def pyramid(bottoms: Tensors, weights: Tensors, *, levels: Sequence[Mapping[str, Any]], shape: Any) -> Tensor:
    """All that several poolings give, one after the other."""
    return torch.cat([pooling(bottoms, (), **level).flatten(1) for level in levels], 1).reshape(-1, *shape)


LAYERS = (
    TorchLayer("ArgMax", arg_max, arguments=with_shape, kind=placewise),
    TorchLayer("Reduction", reduction),
    TorchLayer("SPP", pyramid, arguments=with_shape),
)
