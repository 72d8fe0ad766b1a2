"""Where windows lie on an image, how they group into tiles, and how their values come back to pixels.

Windows are ``(row, column)`` of their top-left corner. A grid has every ``stride``-th position and always the last
one, so that every pixel is covered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import WindowError


def positions(size: int, window: int, stride: int) -> np.ndarray:
    """Where windows start along one axis: 0, stride, ..., and ``size - window``, which touches the border.

    Returns
    -------
    (m,) int array, ascending
    """
    _check_steps(size, window, stride)
    last = size - window
    starts = np.arange(0, last + 1, stride)
    return starts if starts[-1] == last else np.append(starts, last)


def grid(shape: tuple[int, int], *, window: int, stride: int = 1) -> np.ndarray:
    """Origins of all windows on an image, row by row.

    Parameters
    ----------
    shape : (height, width)
    window : int
        Side k of a window, in pixels.
    stride : int
        Step between windows, at most ``window``.

    Returns
    -------
    (n, 2) int array

    Raises
    ------
    WindowError
        If the window does not fit into the image, or the stride leaves pixels out.
    """
    _check_steps(min(shape), window, stride)
    rows = positions(shape[0], window, stride)
    columns = positions(shape[1], window, stride)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def tiles(count: int, size: int) -> list[slice]:
    """Cut ``count`` windows, in the grid's order, into runs of at most ``size``: the units of work and of resuming."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def contexts(origins: np.ndarray, shape: tuple[int, int], *, window: int, context: int) -> np.ndarray:
    """Top-left corners of the contexts around windows: as centred on the window as the border allows.

    Where ``context - window`` is odd, the odd pixel lies below and to the right of the window.

    Parameters
    ----------
    origins : (n, 2) int array
    shape : (height, width) of the image
    window, context : int
        Sides k and l, k <= l.

    Returns
    -------
    (n, 2) int array
    """
    if context < window:
        raise WindowError(f"context l = {context} is smaller than window k = {window}: want l >= k.")
    if context > min(shape):
        raise WindowError(f"context l = {context} does not fit: want l <= {min(shape)}, the size of what the net sees.")
    limit = np.array(shape) - context
    return np.clip(np.asarray(origins) - (context - window) // 2, 0, limit)


def cut(images: np.ndarray, origins: np.ndarray, *, window: int) -> np.ndarray:
    """Windows of an image or of a stack of images, copied out.

    Parameters
    ----------
    images : (..., C, H, W) array
    origins : (n, 2) int array

    Returns
    -------
    (n, ..., C, k, k) array
    """
    check_inside(origins, images.shape[-2:], window)
    rows, columns = np.asarray(origins, np.int64).reshape(-1, 2).T
    return np.ascontiguousarray(np.moveaxis(sliding(images, window=window)[..., rows, columns, :, :], -3, 0))


def sliding(images: np.ndarray, *, window: int) -> np.ndarray:
    """All windows of images (..., H, W) as a view (..., H - k + 1, W - k + 1, k, k) that cannot be written to."""
    height, width = (length - window + 1 for length in images.shape[-2:])
    shape, strides = (*images.shape[:-2], height, width, window, window), images.strides + images.strides[-2:]
    return np.lib.stride_tricks.as_strided(images, shape, strides, writeable=False)


def paste(images: np.ndarray, patches: np.ndarray, origins: np.ndarray) -> None:
    """Set patches (n, C, k, k) into images (n, C, H, W), one into each, in place; the way back of `cut`."""
    rows, columns = (corner[:, None] + np.arange(patches.shape[-1]) for corner in np.asarray(origins).T)
    which = np.arange(len(images))[:, None, None, None]
    images[which, np.arange(images.shape[1])[:, None, None], rows[:, None, :, None], columns[:, None, None, :]] = (
        patches
    )


def spread(values: np.ndarray, origins: np.ndarray, *, window: int, shape: tuple[int, int]) -> np.ndarray:
    """Average over the windows that cover each pixel.

    Parameters
    ----------
    values : (n,) or (n, T) float array
        One value per window, e.g. its weight of evidence in bits, or one per window and target.
    origins : (n, 2) int array
        Top-left ``(row, column)`` of each window.
    shape : (height, width) of the image

    Returns
    -------
    (height, width) or (T, height, width) float array
        NaN where no window covers the pixel, or one without a finite value does.

    Raises
    ------
    WindowError
        If a window reaches over the border of ``shape``, or values and origins are not equally many.
    """
    count = cover(np.ones(len(origins)), origins, window=window, shape=shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        return cover(values, origins, window=window, shape=shape) / count


def spread_error(variances: np.ndarray, origins: np.ndarray, *, window: int, shape: tuple[int, int]) -> np.ndarray:
    """Standard error of `spread`'s average, the windows' errors being independent.

    Parameters and shapes as for `spread`; ``variances`` are those of the windows' values.
    """
    count = cover(np.ones(len(origins)), origins, window=window, shape=shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        # the running sums may leave a zero a rounding error below itself
        return np.sqrt(np.maximum(cover(variances, origins, window=window, shape=shape), 0.0)) / count


def cover(values: np.ndarray, origins: np.ndarray, *, window: int, shape: tuple[int, int]) -> np.ndarray:
    """Sum of the values of the windows over each pixel; shapes as for `spread`.

    Each value is entered at its window's four corners with alternating sign; two running sums then fill all windows at
    once. Done in float64; a value that is not finite makes its window's pixels NaN, and is kept out of the sums lest it
    run on over the whole image.
    """
    check_inside(origins, shape, window)
    values = np.asarray(values, np.float64)
    if values.shape[:1] != (len(origins),):
        raise WindowError(f"values have the shape {values.shape}: want one row for each of {len(origins)} windows.")
    flat = values.reshape(len(origins), int(np.prod(values.shape[1:])))
    missing = ~np.isfinite(flat)
    total = _boxes(np.where(missing, 0.0, flat), origins, window, shape)
    if missing.any():
        total[_boxes(missing.astype(np.float64), origins, window, shape) > 0.5] = np.nan
    return total.reshape(values.shape[1:] + tuple(shape))


def check_inside(origins: np.ndarray, shape: tuple[int, ...], window: int) -> None:
    """Refuse windows that reach over the border of ``shape``."""
    origins = np.asarray(origins)
    outside = ((origins < 0) | (origins + window > np.array(shape))).any(axis=1) if len(origins) else np.zeros(0, bool)
    if outside.any():
        row, column = origins[outside][0]
        raise WindowError(
            f"the {window} x {window} window at row {row}, column {column} reaches over the border of "
            f"an image of {shape[0]} x {shape[1]} pixels."
        )


def _check_steps(size: int, window: int, stride: int) -> None:
    if not 1 <= window <= size:
        raise WindowError(f"window k = {window} does not fit: want 1 <= k <= {size}, the size of what the net sees.")
    if not 1 <= stride <= window:
        raise WindowError(
            f"stride = {stride} with window k = {window}: want 1 <= stride <= k, or some pixels would be in no window."
        )


def _boxes(values: np.ndarray, origins: np.ndarray, window: int, shape: tuple[int, int]) -> np.ndarray:
    corners = np.zeros((values.shape[1], shape[0] + 1, shape[1] + 1))
    rows, columns = np.asarray(origins, int).reshape(-1, 2).T
    for dr, dc, sign in ((0, 0, 1), (0, window, -1), (window, 0, -1), (window, window, 1)):
        at: Any = (slice(None), rows + dr, columns + dc)
        np.add.at(corners, at, sign * values.T)
    return corners.cumsum(axis=1).cumsum(axis=2)[:, :-1, :-1]
