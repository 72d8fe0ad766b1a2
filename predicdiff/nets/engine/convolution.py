"""Convolutions, as Caffe's layers and torch's modules both have them."""

from __future__ import annotations

import math
from typing import Tuple

from torch import Tensor
from torch.nn import functional

from .graph import Functions

#: A number for each axis, rows and columns.
Each = Tuple[int, ...]


def sound(x: Tensor) -> Tensor:
    """A convolution's input (b, C, H, W) as torch can take it, whatever its order in memory."""
    # of maps one column wide, if the channels are said to come last, torch 2.13 reads beyond the memory where a
    # convolution has a pad, a stride, a dilation and a bias, and may end the process
    return x.contiguous() if x.shape[3] == 1 else x


def convolutions(
    weight: Tensor, bias: Tensor | None, *, stride: Each, pad: Each | str, dilation: Each, group: int
) -> Functions:
    """A convolution of a map, of a piece that has what lies around it, and of a difference."""
    wide = tuple(d * (k - 1) for k, d in zip(weight.shape[2:], dilation))  # as far as a place is seen from
    return Functions(
        lambda values: functional.conv2d(sound(values[0]), weight, bias, stride, pad, dilation, group),
        lambda pieces: functional.conv2d(pieces[0], weight, bias, stride, 0, dilation, group),
        lambda changes: functional.conv2d(sound(changes[0]), weight, None, stride, wide, dilation, group),
    )


def spreads(kernel: Each, stride: Each) -> bool:
    """Whether differences are spread by a convolution: it sees more than one place, and leaves none out."""
    return math.prod(kernel) > 1 and tuple(stride) == (1, 1)
