"""Convolutions, as Caffe's layers and torch's modules both have them."""

from __future__ import annotations

from typing import Tuple

from torch import Tensor
from torch.nn import functional

from .graph import Function

#: A number for each axis, rows and columns.
Each = Tuple[int, ...]


def sound(x: Tensor) -> Tensor:
    """A convolution's input (b, C, H, W) as torch can take it, whatever its order in memory."""
    # of maps one column wide, if the channels are said to come last, torch 2.13 reads beyond the memory where a
    # convolution has a pad, a stride, a dilation and a bias, and may end the process
    return x.contiguous() if x.shape[3] == 1 else x


def convolutions(
    weight: Tensor, bias: Tensor | None, *, stride: Each, pad: Each | str, dilation: Each, group: int
) -> tuple[Function, Function]:
    """A convolution of a map, and of a piece that has what lies around it (`graph.Local.cut`)."""
    return (
        lambda values: functional.conv2d(sound(values[0]), weight, bias, stride, pad, dilation, group),
        lambda pieces: functional.conv2d(pieces[0], weight, bias, stride, 0, dilation, group),
    )
