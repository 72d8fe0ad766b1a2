"""Cutting rectangles out of maps and pasting others in, for a batch of windows with S draws each.

Batches (n S, C, h, w) hold the draws of one window after the other; corners (n,) are one for each window.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    batch = _empty(base, count * samples, size, layout)
    if base.device.type == "cpu" or (alike(row) and alike(column)):
        for draws, top, left in _alike(len(batch), row, column):
            batch[draws] = _slice(base, top, left, size)
    else:  # one kernel for all, of a view in which rectangles are elements
        rows, columns = sent(np.stack([row, column]), base.device)
        parts = base[0].unfold(1, height, 1).unfold(2, width, 1)[:, rows, columns]
        batch.unflatten(0, (count, samples)).copy_(parts.movedim(1, 0)[:, None])
    return batch


def paste(batch: Tensor, values: Tensor, row: np.ndarray, column: np.ndarray) -> None:
    """Set rectangles (n S, C, p, q) into a batch (n S, C, h, w), each at its window's corner; the rest is lost."""
    if batch.device.type == "cpu" or (alike(row) and alike(column)):
        for draws, top, left in _alike(len(batch), row, column):
            inside, values_inside = _overlapping(batch[draws], values[draws], top, left)
            inside.copy_(values_inside)
    else:
        _set_each(batch, values, row, column)


def add(batch: Tensor, values: Tensor, row: np.ndarray, column: np.ndarray) -> None:
    """As `paste`, but what stands in the batch is added to; on the CPU."""
    for draws, top, left in _alike(len(batch), row, column):
        inside, values_inside = _overlapping(batch[draws], values[draws], top, left)
        inside.add_(values_inside)


def less(values: Tensor, base: Tensor, row: np.ndarray, column: np.ndarray, layout: torch.memory_format) -> Tensor:
    """Rectangles (n S, C, h, w) less what stands in one map (1, C, H, W) at each window's corner; on the CPU."""
    height, width = values.shape[2:]
    batch = _empty(base, len(values), (height, width), layout)
    for draws, top, left in _alike(len(values), row, column):
        torch.sub(values[draws], _slice(base, top, left, (height, width)), out=batch[draws])
    return batch


def narrowed(values: Tensor, row: np.ndarray, column: np.ndarray, size: tuple[int, int]) -> Tensor | None:
    """Rectangles of ``size`` that lie inside the given ones, all at one place there, as a view; None if they do not."""
    if not (alike(row) and alike(column)):
        return None
    top, left = int(row[0]), int(column[0])
    height, width = size
    inside = top >= 0 and top + height <= values.shape[2] and left >= 0 and left + width <= values.shape[3]
    return values[:, :, top : top + height, left : left + width] if inside else None


def trimmed(
    values: Tensor, row: np.ndarray, column: np.ndarray, size: tuple[int, int], layout: torch.memory_format
) -> Tensor:
    """Rectangles of ``size`` that lie inside the given ones, each at its window's corner there, without the rest."""
    if tuple(values.shape[2:]) == size:
        return values
    batch = _empty(values, len(values), size, layout)
    paste(batch, values, -row, -column)
    return batch


def sent(array: np.ndarray, device: torch.device) -> Tensor:
    """A small array on a device; sent to a GPU without waiting for what that is still computing."""
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def alike(corners: np.ndarray) -> bool:
    """Whether the corners of all windows are equal."""
    return len(corners) == 1 or bool((corners == corners[0]).all())


def _empty(like: Tensor, count: int, size: tuple[int, int], layout: torch.memory_format) -> Tensor:
    """Room for a batch of rectangles with the channels of ``like``."""
    channels = like.shape[1]
    if channels == 1:  # torch 2.13's convolutions take one channel, if it is said to come last, for another map
        layout = torch.contiguous_format
    return torch.empty((count, channels, *size), dtype=like.dtype, device=like.device, memory_format=layout)


def _slice(base: Tensor, top: int, left: int, size: tuple[int, int]) -> Tensor:
    return base[:, :, top : top + size[0], left : left + size[1]]


def _alike(length: int, row: np.ndarray, column: np.ndarray) -> Iterator[tuple[slice, int, int]]:
    """Parts of a batch of this length whose windows have one corner, and that corner."""
    if alike(row) and alike(column):
        yield slice(0, length), int(row[0]), int(column[0])
        return
    samples = length // len(row)
    for i, (top, left) in enumerate(zip(row.tolist(), column.tolist())):
        yield slice(i * samples, (i + 1) * samples), top, left


def _overlapping(batch: Tensor, values: Tensor, top: int, left: int) -> tuple[Tensor, Tensor]:
    """The places of a batch on which rectangles lie that are set into it at a corner, and those of the rectangles."""
    rows, from_rows = overlap(top, values.shape[2], batch.shape[2])
    columns, from_columns = overlap(left, values.shape[3], batch.shape[3])
    return batch[:, :, rows, columns], values[:, :, from_rows, from_columns]


def _set_each(batch: Tensor, values: Tensor, row: np.ndarray, column: np.ndarray) -> None:
    """Set each window's rectangles at its own corner; all windows take as many calls of kernels as one.

    Every place of the batch looks up where in the rectangle it lies; those that lie outside keep what they have.
    """
    (height, width), (p, q) = batch.shape[2:], values.shape[2:]
    outside = -2 * p * q  # below zero whatever is added
    rows, columns = np.arange(height) - row[:, None], np.arange(width) - column[:, None]
    rows = np.where((rows >= 0) & (rows < p), rows * q, outside)
    columns = np.where((columns >= 0) & (columns < q), columns, outside)
    places = sent(np.concatenate([rows, columns], 1), batch.device)
    places = places[:, :height, None] + places[:, None, height:]
    each = batch.unflatten(0, (len(row), -1))
    flat = values.reshape(len(row), -1, p * q)
    pasted = flat.gather(2, places.clamp(min=0).view(len(row), 1, -1).expand(-1, flat.shape[1], -1))
    torch.where((places >= 0)[:, None, None], pasted.view(each.shape).to(batch.dtype), each, out=each)
