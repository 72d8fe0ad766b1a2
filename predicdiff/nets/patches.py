"""Cutting rectangles out of maps and pasting others in, for a batch of windows with S draws each.

Batches (n S, C, h, w) hold the draws of one window after the other; corners (n,) are one for each window.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .geometry import overlap


def cut_out(
    base: Tensor, row: np.ndarray, column: np.ndarray, size: tuple[int, int], samples: int, layout: torch.memory_format
) -> Tensor:
    """Rectangles (n S, C, h, w) of one map (1, C, H, W): each window's ``samples`` times, in memory of its own."""
    height, width = size
    count = len(row)
    if base.shape[1] == 1:  # torch 2.13's convolutions take one channel, if it is said to come last, for another map
        layout = torch.contiguous_format
    batch = torch.empty(
        (count * samples, base.shape[1], height, width), dtype=base.dtype, device=base.device, memory_format=layout
    )
    if alike(row) and alike(column):
        batch.copy_(_slice(base, int(row[0]), int(column[0]), size).expand_as(batch))
    elif base.device.type == "cpu":
        for i, (top, left) in enumerate(zip(row.tolist(), column.tolist())):
            part = batch[i * samples : (i + 1) * samples]
            part.copy_(_slice(base, top, left, size).expand_as(part))
    else:  # one kernel for all, of a view in which rectangles are elements
        corners = [torch.from_numpy(corner).to(base.device) for corner in (row, column)]
        found = base[0].unfold(1, height, 1).unfold(2, width, 1)[:, corners[0], corners[1]]
        batch.unflatten(0, (count, samples)).copy_(found.movedim(1, 0)[:, None])
    return batch


def paste(batch: Tensor, values: Tensor, row: np.ndarray, column: np.ndarray) -> None:
    """Set rectangles (n S, C, p, q) into a batch (n S, C, h, w), each at its window's corner; the rest is lost."""
    if alike(row) and alike(column):
        _set(batch, values, int(row[0]), int(column[0]))
        return
    samples = len(batch) // len(row)
    for i, (top, left) in enumerate(zip(row.tolist(), column.tolist())):
        draws = slice(i * samples, (i + 1) * samples)
        _set(batch[draws], values[draws], top, left)


def narrowed(values: Tensor, row: np.ndarray, column: np.ndarray, size: tuple[int, int]) -> Tensor | None:
    """Rectangles of ``size`` that lie inside the given ones, all at one place there, as a view; None if they do not."""
    if not (alike(row) and alike(column)):
        return None
    top, left = int(row[0]), int(column[0])
    height, width = size
    inside = top >= 0 and top + height <= values.shape[2] and left >= 0 and left + width <= values.shape[3]
    return values[:, :, top : top + height, left : left + width] if inside else None


def alike(corners: np.ndarray) -> bool:
    """Whether all windows have the same."""
    return len(corners) == 1 or bool((corners == corners[0]).all())


def _slice(base: Tensor, top: int, left: int, size: tuple[int, int]) -> Tensor:
    return base[:, :, top : top + size[0], left : left + size[1]]


def _set(batch: Tensor, values: Tensor, top: int, left: int) -> None:
    rows, from_rows = overlap(top, values.shape[2], batch.shape[2])
    columns, from_columns = overlap(left, values.shape[3], batch.shape[3])
    batch[:, :, rows, columns] = values[:, :, from_rows, from_columns]
