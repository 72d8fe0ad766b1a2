"""Convolutions, as Caffe's layers and torch's modules both have them."""

from __future__ import annotations

import math
from typing import Any, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from .graph import Functions

#: A number for each axis, rows and columns.
Each = Tuple[int, ...]

#: Products a place from which on their order tells, and plain maps take no more time (docs/caffe.md).
MANY = 1200


def sound(x: Tensor) -> Tensor:
    """A convolution's input (b, C, H, W) as torch can take it, whatever its order in memory."""
    # of maps one column wide, if the channels are said to come last, torch 2.13 reads beyond the memory where a
    # convolution has a pad, a stride, a dilation and a bias, and may end the process
    return x.contiguous() if x.shape[3] == 1 else x


def in_parts(weight: Tensor) -> bool:
    """Whether the products of a convolution are to be added in parts, not one after the other.

    Where maps have their channels last and the kernel sees more than one place, oneDNN adds all products of a place one
    after the other. Of plain maps it adds up parts, as BLAS does for Caffe, but only with AVX-512.
    """
    kernel = math.prod(weight.shape[2:])
    long = kernel > 1 and weight.shape[1] * kernel >= MANY
    return long and weight.device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512"


def convolutions(
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Each,
    pad: Each | str,
    dilation: Each,
    group: int,
    parts: bool = False,
) -> Functions:
    """A convolution of a map, of a piece that has what lies around it, and of a difference.

    With ``parts``, weights are in plain order and maps with their channels last are brought into it and back.
    """
    wide = tuple(d * (k - 1) for k, d in zip(weight.shape[2:], dilation))  # as far as a place is seen from
    convolve = _of_plain_maps if parts else functional.conv2d
    return Functions(
        lambda values: convolve(sound(values[0]), weight, bias, stride, pad, dilation, group),
        lambda pieces: convolve(pieces[0], weight, bias, stride, 0, dilation, group),
        lambda changes: convolve(sound(changes[0]), weight, None, stride, wide, dilation, group),
    )


def _of_plain_maps(x: Tensor, weight: Tensor, *how: Any) -> Tensor:
    return functional.conv2d(x.contiguous(), weight, *how).contiguous(memory_format=torch.channels_last)


def spreads(kernel: Each, stride: Each) -> bool:
    """Whether differences are spread by a convolution: it sees more than one place, and leaves none out."""
    return math.prod(kernel) > 1 and tuple(stride) == (1, 1)
