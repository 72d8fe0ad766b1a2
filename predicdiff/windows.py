"""Where windows lie on an image, how they group into tiles, and how their values come back to pixels.

Windows are ``(row, column)`` of their top-left corner. A grid has every ``stride``-th position and always the last
one, so that every pixel is covered. How large a window is may be given as one number, where it is square, or as one
for each axis; inside the package it is a tuple, which `sides` makes.
"""

from __future__ import annotations

import operator
from itertools import product
from typing import Any, Sequence, Union

import numpy as np

from .errors import WindowError
from .protocols import Sides, SidesLike

#: l - k, by default: what a window's context is larger by.
MARGIN = 4
#: What stands in a window for a side that is as long as what windows lie on: of whole rows, or of whole columns.
ALL = "all"
#: A window as it may be asked for before it is known what it lies on.
WindowLike = Union[int, Sequence[Union[int, str]]]


def sides(window: SidesLike, *, what: str = "window k", axes: int = 2) -> Sides:
    """The window as a tuple with one length for each axis; a WindowError, which calls it ``what``, otherwise.

    That the lengths are positive and fit is looked at where the image is known.

    >>> sides(10), sides((6, 10))
    ((10, 10), (6, 10))
    """
    each: Any = window if isinstance(window, (Sequence, np.ndarray)) else [window] * axes
    try:
        lengths = tuple(operator.index(length) for length in each)
    except TypeError:
        lengths = ()
    if len(lengths) != axes:
        raise WindowError(f"{what} = {window!r}: want a whole number, at least 1, or {axes} of them.")
    return lengths


def spanned(window: WindowLike, shape: tuple[int, ...], *, what: str = "window k") -> Sides:
    """The sides of a window on ``shape`` (height, width), `ALL` being all of an axis; errors as of `sides`.

    >>> spanned((8, "all"), (20, 30)), spanned(10, (20, 30))
    ((8, 30), (10, 10))
    """
    if isinstance(window, (str, bytes)) or not isinstance(window, Sequence) or len(window) != len(shape):
        return sides(window, what=what, axes=len(shape))  # type: ignore[arg-type]
    known = [size if side == ALL else side for side, size in zip(window, shape)]
    return sides(known, what=what, axes=len(shape))  # type: ignore[arg-type]


def to_be_spanned(window: WindowLike) -> tuple[int | str, ...]:
    """A window as asked for, as a tuple in which `ALL` stays; errors as of `sides`."""
    lengths = spanned(window, (0, 0))
    asked = window if isinstance(window, Sequence) else lengths
    return tuple(ALL if side == ALL else length for side, length in zip(asked, lengths))


def shortest(window: WindowLike) -> float:
    """The shorter of the sides that are known already; infinity where none is."""
    return min((side for side in np.ravel(np.array(window, object)) if side != ALL), default=np.inf)


def as_asked(window: SidesLike) -> int | Sides:
    """One number where all sides are equal, as samplers and nets of others take it, otherwise the tuple."""
    lengths = sides(window)
    return lengths[0] if len(set(lengths)) == 1 else lengths


def recorded(window: SidesLike) -> int | list[int]:
    """As `as_asked`, for JSON."""
    asked = as_asked(window)
    return asked if isinstance(asked, int) else list(asked)


def told(window: SidesLike) -> str:
    """For sentences: "10", or "6 x 10"."""
    return _told(sides(window))


def by(window: SidesLike) -> str:
    """For sentences: "10 x 10", or "6 x 10"."""
    return " x ".join(map(str, sides(window)))


def grown(window: SidesLike, margin: int) -> Sides:
    """The sides of what is larger by ``margin`` along each axis, such as a window's context."""
    return tuple(length + margin for length in sides(window))


def usual_context(window: SidesLike, shape: tuple[int, ...] | None = None) -> Sides:
    """Sides l of the context that a window has where none is asked for, as in the paper, as far as ``shape`` goes.

    >>> usual_context(10), usual_context((8, 30), (20, 30))
    ((14, 14), (12, 30))
    """
    context = grown(window, MARGIN)
    if shape is None:
        return context
    return tuple(max(side, min(length, size)) for side, length, size in zip(sides(window), context, shape))


def usual_stride(window: SidesLike) -> int:
    """Step between the windows of maps that are held against each other: 8, or the shorter side where that is less.

    >>> usual_stride(10), usual_stride((6, 4))
    (8, 4)
    """
    return min(8, *sides(window))


def positions(size: int, window: int, stride: int) -> np.ndarray:
    """Where windows start along one axis: 0, stride, ..., and ``size - window``, which touches the border.

    Returns
    -------
    (m,) int array, ascending
    """
    _check_steps((size,), (window,), (stride,))
    return _starts(size, window, stride)


def grid(shape: tuple[int, ...], *, window: SidesLike, stride: SidesLike = 1, gaps: bool = False) -> np.ndarray:
    """Origins of all windows on an image, row by row.

    Parameters
    ----------
    shape : (height, width)
    window : int or (rows, columns)
        Side k of a window, in pixels.
    stride : int or (rows, columns)
        Step between windows, at most the window's side.
    gaps : bool
        Whether pixels may lie in no window, and steps be longer than the window's side.

    Returns
    -------
    (n, 2) int array

    Raises
    ------
    WindowError
        If the window does not fit into the image, or the stride leaves pixels out.

    Examples
    --------
    The last window touches the border, so that every pixel is covered:

    >>> grid((5, 4), window=3, stride=2).tolist()
    [[0, 0], [0, 1], [2, 0], [2, 1]]
    """
    lengths = sides(window)
    steps = sides(stride, what="stride", axes=len(lengths))
    _check_steps(shape, lengths, steps, gaps)
    starts = [_starts(*axis) for axis in zip(shape, lengths, steps)]
    return np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(lengths))


def tiles(count: int, size: int) -> list[slice]:
    """Cut ``count`` windows, in the grid's order, into runs of at most ``size``: the units of work and of resuming."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def contexts(origins: np.ndarray, shape: tuple[int, ...], *, window: SidesLike, context: SidesLike) -> np.ndarray:
    """Top-left corners of the contexts around windows: as centred on the window as the border allows.

    Where ``context - window`` is odd, the odd pixel lies below and to the right of the window.

    Parameters
    ----------
    origins : (n, 2) int array
    shape : (height, width) of the image
    window, context : int or (rows, columns)
        Sides k and l, k <= l.

    Returns
    -------
    (n, 2) int array
    """
    inner, outer = np.array(sides(window)), np.array(sides(context, what="context l"))
    if (outer < inner).any():
        raise WindowError(f"context l = {told(context)} is smaller than window k = {told(window)}: want l >= k.")
    if (outer > shape).any():
        most = min(shape) if len(set(outer.tolist())) == 1 else by(shape)
        raise WindowError(f"context l = {told(context)} does not fit: want l <= {most}, the size of what the net sees.")
    limit = np.array(shape) - outer
    return np.clip(np.asarray(origins) - (outer - inner) // 2, 0, limit)


def cut(images: np.ndarray, origins: np.ndarray, *, window: SidesLike) -> np.ndarray:
    """Windows of an image or of a stack of images, copied out.

    Parameters
    ----------
    images : (..., C, H, W) array
    origins : (n, 2) int array

    Returns
    -------
    (n, ..., C, h, w) array
    """
    axes = len(sides(window))
    check_inside(origins, images.shape[-axes:], window)
    corners = np.asarray(origins, np.int64).reshape(-1, axes).T
    at: Any = (..., *corners, *[slice(None)] * axes)
    return np.ascontiguousarray(np.moveaxis(sliding(images, window=window)[at], -1 - axes, 0))


def sliding(images: np.ndarray, *, window: SidesLike) -> np.ndarray:
    """All windows of images (..., H, W) as a view (..., H - h + 1, W - w + 1, h, w) that cannot be written to."""
    lengths = sides(window)
    axes = len(lengths)
    places = [size - length + 1 for size, length in zip(images.shape[-axes:], lengths)]
    shape, strides = (*images.shape[:-axes], *places, *lengths), images.strides + images.strides[-axes:]
    return np.lib.stride_tricks.as_strided(images, shape, strides, writeable=False)


def paste(images: np.ndarray, patches: np.ndarray, origins: np.ndarray) -> None:
    """Set patches (n, C, h, w) into images (n, C, H, W), one into each, in place; the way back of `cut`."""
    axes = patches.ndim - 2
    at = [np.arange(size).reshape(-1, *[1] * (1 + axes - axis)) for axis, size in enumerate(patches.shape[:2])]
    for axis, corners in enumerate(np.asarray(origins).T):
        places = corners[:, None] + np.arange(patches.shape[2 + axis])
        at.append(places.reshape(len(places), *[1] * (1 + axis), -1, *[1] * (axes - axis - 1)))
    images[tuple(at)] = patches


def spread(values: np.ndarray, origins: np.ndarray, *, window: SidesLike, shape: tuple[int, ...]) -> np.ndarray:
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

    Examples
    --------
    Two windows that overlap in the middle of three pixels:

    >>> spread(np.array([1.0, 3.0]), np.array([[0, 0], [0, 1]]), window=(1, 2), shape=(1, 3))
    array([[1., 2., 3.]])
    """
    count = cover(np.ones(len(origins)), origins, window=window, shape=shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        return cover(values, origins, window=window, shape=shape) / count


def spread_error(
    variances: np.ndarray, origins: np.ndarray, *, window: SidesLike, shape: tuple[int, ...]
) -> np.ndarray:
    """Standard error of `spread`'s average, the windows' errors being independent.

    Parameters and shapes as for `spread`; ``variances`` are those of the windows' values.
    """
    count = cover(np.ones(len(origins)), origins, window=window, shape=shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        # the running sums may leave a zero a rounding error below itself
        return np.sqrt(np.maximum(cover(variances, origins, window=window, shape=shape), 0.0)) / count


def cover(values: np.ndarray, origins: np.ndarray, *, window: SidesLike, shape: tuple[int, ...]) -> np.ndarray:
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
    total = _boxes(np.where(missing, 0.0, flat), origins, sides(window), shape)
    if missing.any():
        total[_boxes(missing.astype(np.float64), origins, sides(window), shape) > 0.5] = np.nan
    return total.reshape(values.shape[1:] + tuple(shape))


def check_inside(origins: np.ndarray, shape: tuple[int, ...], window: SidesLike) -> None:
    """Refuse windows that reach over the border of ``shape``."""
    origins, lengths = np.asarray(origins), np.array(sides(window))
    outside = ((origins < 0) | (origins + lengths > np.array(shape))).any(axis=1) if len(origins) else np.zeros(0, bool)
    if outside.any():
        row, column = origins[outside][0]
        raise WindowError(
            f"the {by(window)} window at row {row}, column {column} reaches over the border of "
            f"an image of {by(shape)} pixels."
        )


def _told(lengths: Sides) -> str:
    return str(lengths[0]) if len(set(lengths)) == 1 else " x ".join(map(str, lengths))


def _starts(size: int, window: int, stride: int) -> np.ndarray:
    last = size - window
    starts = np.arange(0, last + 1, stride)
    return starts if starts[-1] == last else np.append(starts, last)


def _check_steps(shape: tuple[int, ...], lengths: Sides, steps: Sides, gaps: bool = False) -> None:
    square, window = len(set(lengths)) == 1, _told(lengths)
    if not all(1 <= length <= size for length, size in zip(lengths, shape)):
        most = str(min(shape) if square else by(shape))
        raise WindowError(f"window k = {window} does not fit: want 1 <= k <= {most}, the size of what the net sees.")
    wanted = "1 <= stride"
    if not gaps:
        wanted += f" <= {'k' if square else by(lengths)}, or some pixels would be in no window"
        wanted += "; with between='linear' asked for, evidence is interpolated there"
    if min(steps) < 1 or (not gaps and any(step > length for step, length in zip(steps, lengths))):
        raise WindowError(f"stride = {_told(steps)} with window k = {window}: want {wanted}.")


def _boxes(values: np.ndarray, origins: np.ndarray, lengths: Sides, shape: tuple[int, ...]) -> np.ndarray:
    corners = np.zeros((values.shape[1], *(size + 1 for size in shape)))
    starts = np.asarray(origins, int).reshape(-1, len(lengths)).T
    for ends in product((0, 1), repeat=len(lengths)):
        at: Any = (slice(None), *(start + end * length for start, end, length in zip(starts, ends, lengths)))
        np.add.at(corners, at, (-1) ** sum(ends) * values.T)
    for axis in range(1, 1 + len(lengths)):
        corners = corners.cumsum(axis=axis)
    inside: Any = (slice(None), *[slice(-1)] * len(lengths))
    return corners[inside]
