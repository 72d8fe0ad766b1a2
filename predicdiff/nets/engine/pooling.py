"""What the windows of a mean pooling divide their sums by, in Caffe and in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from .geometry import Reach


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
