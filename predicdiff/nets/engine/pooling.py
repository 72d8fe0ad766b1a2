"""Pooling, as Caffe's layers and torch's modules both have it, and what the windows of a mean are divided by."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .geometry import Pair, Reach
from .graph import Local

#: Elements of one image's maps from which `largest_around` is the faster way on a CPU.
LARGE = 2**15


def maxima(reach: tuple[Reach, Reach], kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Local:
    """What a place of a pooling of maxima depends on, and how it is computed of a piece."""
    return Local(reach, lambda pieces: functional.max_pool2d(pieces[0], kernel, stride, 0, dilation), fill=-math.inf)


def largest_around(x: Tensor) -> Tensor:
    """The maximum of the 3 x 3 places around each of maps (b, C, H, W), those beyond the border left out.

    Along rows and then along columns, image by image: so torch compares four times a place and not eight, in the cache,
    and writes no indices.
    """
    out, along = torch.empty_like(x), torch.empty_like(x[:1])
    for image, largest in zip(x.split(1), out.split(1)):
        for axis, values, maxima_of in ((3, image, along), (2, along, largest)):
            length = values.shape[axis] - 1
            first, last = values.narrow(axis, 0, length), values.narrow(axis, 1, length)
            maxima_of.narrow(axis, 0, 1).copy_(values.narrow(axis, 0, 1))
            torch.maximum(first, last, out=maxima_of.narrow(axis, 1, length))
            torch.maximum(maxima_of.narrow(axis, 0, length), last, out=maxima_of.narrow(axis, 0, length))
    return out


def means(reach: tuple[Reach, Reach], kernel: Pair, stride: Pair, scale: Tensor) -> Local:
    """As `maxima`, of a pooling of means; ``scale`` (1, 1, H, W) is what each sum is divided by."""
    return Local(
        reach, lambda pieces: functional.avg_pool2d(_wide(pieces[0]), kernel, stride, divisor_override=1), scale=scale
    )


def _wide(values: Tensor) -> Tensor:
    """Numbers whose sums are not cut short: float32 at least."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def divisors(reaches: tuple[Reach, Reach], *, padded: bool = True) -> Tensor:
    """How many places each window has.

    Parameters
    ----------
    reaches : (rows, columns)
    padded : bool
        Whether places in the padding count, as in Caffe and in torch's ``count_include_pad``; otherwise those of the
        map alone. What a window reaches beyond the padding never counts.

    Returns
    -------
    (1, 1, H, W) float32 tensor
        On the CPU.
    """
    rows, columns = (_lengths(reach, reach.before if padded else 0) for reach in reaches)
    return (rows[:, None] * columns).float()[None, None]


def _lengths(reach: Reach, border: int) -> Tensor:
    """Places of each window along one axis, of which ``border`` lie on either side of the map."""
    starts = torch.arange(reach.size) * reach.stride - reach.before
    return (starts + reach.kernel).clamp(max=reach.length + border) - starts.clamp(min=-border)
