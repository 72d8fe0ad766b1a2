"""A region of a picture, to which windows are kept: from the picture as it was given to what windows lie on."""

from __future__ import annotations

import math
from typing import NamedTuple, Sequence

import numpy as np

from ..errors import SettingsError
from ..images import Frame
from ..units import whole_number
from ..windows import WindowLike, by, spanned

#: What a region's four numbers are.
NUMBERS = ("row", "column", "height", "width")


class Region(NamedTuple):
    """A rectangle: its top-left corner, then its size.

    Attributes
    ----------
    corner : (row, column)
    size : (height, width)
    """

    corner: tuple[int, ...]
    size: tuple[int, ...]

    def set_in(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Maps (..., height, width) of the region as maps of all of ``shape``, NaN around it."""
        if values.shape[-2:] == tuple(shape):
            return values
        whole = np.full((*values.shape[:-2], *shape), np.nan)
        rows, columns = (slice(start, start + length) for start, length in zip(*self))
        whole[..., rows, columns] = values
        return whole


def check_region(region: Sequence[int] | None) -> tuple[int, ...] | None:
    """A region as asked for, of plain whole numbers; None stays."""
    if region is None:
        return None
    if not isinstance(region, (Sequence, np.ndarray)) or isinstance(region, str) or len(region) != len(NUMBERS):
        raise SettingsError(f"region = {region!r}: want (row, column, height, width).")
    found = tuple(whole_number(f"the region's {name}", value) for name, value in zip(NUMBERS, region))
    if min(found[:2]) < 0 or min(found[2:]) < 1:
        raise SettingsError(
            f"region {told(found)}: want the row and the column of its top-left pixel, then its height and width, of 1 "
            "or more."
        )
    return found


def told(region: Sequence[int]) -> str:
    """As it is written on the command line.

    >>> told((10, 20, 30, 40))
    '10,20,30,40'
    """
    return ",".join(map(str, region))


def find_region(
    asked: Sequence[int] | None,
    *,
    frame: Frame | None,
    seen: tuple[int, ...],
    ground: tuple[int, ...],
    window: WindowLike,
) -> Region:
    """The region of the ground that shows a region of the picture; all of the ground where none is asked for.

    Parameters
    ----------
    asked : (row, column, height, width), optional
        In the picture as it was given.
    frame : Frame or None
        Where in the picture lies what the net sees; None where the picture is that already.
    seen, ground : (height, width)
        Of what the net sees, and of what windows lie on, which may be a hidden blob.
    window : int or (rows, columns)

    Raises
    ------
    SettingsError
        If it reaches over the border of the picture, the net does not see it, or no window fits into it.
    """
    if asked is None:
        return Region((0, 0), tuple(ground))
    picture = seen if frame is None else frame.original
    if any(start + length > size for start, length, size in zip(asked[:2], asked[2:], picture)):
        raise SettingsError(
            f"region {told(asked)} reaches over the border of the picture, which is {picture[0]} x {picture[1]} "
            "(height, width): want row, column, height and width of a part of it."
        )
    ranges = [_along(axis, asked, frame, seen, ground) for axis in (0, 1)]
    size = tuple(max(0, stop - start) for start, stop in ranges)
    if 0 in size:
        raise SettingsError(f"region {told(asked)} shows nothing of what the net sees of the picture: want another.")
    lengths = spanned(window, size)
    if any(length < side for length, side in zip(size, lengths)):
        raise SettingsError(
            f"region {told(asked)} is {by(size)} where windows lie, too small for one of {by(lengths)}: want a larger "
            "region or smaller windows."
        )
    return Region(tuple(start for start, _ in ranges), size)


def _along(
    axis: int, asked: Sequence[int], frame: Frame | None, seen: tuple[int, ...], ground: tuple[int, ...]
) -> tuple[int, int]:
    """From where to where along an axis: the places whose middles lie in the region."""
    ends = [float(asked[axis]), float(asked[axis] + asked[axis + 2])]
    if frame is not None:
        ends = [frame.seen(axis, end) for end in ends]
    ends = [end * ground[axis] / seen[axis] for end in ends]
    start, stop = (min(max(math.ceil(end - 0.5), 0), ground[axis]) for end in ends)
    return start, stop
