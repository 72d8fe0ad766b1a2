"""Which rectangle of a map a change of another reaches: arithmetic of ranges, for many windows at once.

A range lies along one axis, rows or columns, from ``start`` to before ``stop``; both are arrays with an entry for each
of n windows. Rows and columns never mix, so that a rectangle is a pair of ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Sequence, Tuple

import numpy as np

#: Shape of a value, without the batch axis.
Shape = Tuple[int, ...]
#: A number along the rows and one along the columns.
Pair = Tuple[int, int]


class Span(NamedTuple):
    """Ranges along one axis (..., n), one for each window; empty where ``stop <= start``."""

    start: np.ndarray
    stop: np.ndarray


class Rectangles(NamedTuple):
    """Rectangles (..., n) of one map or several, one for each window."""

    rows: Span
    columns: Span

    def of(self, windows: np.ndarray) -> Rectangles:
        """The rectangles of some of the windows."""
        return Rectangles(*(Span(span.start[..., windows], span.stop[..., windows]) for span in self))

    @property
    def areas(self) -> np.ndarray:
        """Elements in each."""
        sides = [np.maximum(span.stop - span.start, 0) for span in self]
        area: np.ndarray = sides[0] * sides[1]
        return area


class Box(NamedTuple):
    """Rectangles of one size, so that they make a batch: corners (n,) and the size they have in common."""

    row: np.ndarray
    column: np.ndarray
    height: int
    width: int


@dataclass(frozen=True)
class Reach:
    """How outputs along one axis see inputs: output o sees ``o * stride - before + dilation * (0 ... kernel - 1)``.

    These are places; input i lies at place ``i * up``.

    Attributes
    ----------
    kernel, stride, before, dilation : int
        ``before`` is the padding above or to the left; below 0 where that many inputs are left out.
    length, size : int
        Inputs and outputs along the axis.
    up : int
        Where it is not 1, as in transposed convolutions, ``stride`` is 1.
    """

    kernel: int
    stride: int
    before: int
    length: int
    size: int
    dilation: int = 1
    up: int = 1

    @property
    def extent(self) -> int:
        """Places from the first to the last that one output sees."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def border(self) -> tuple[int, int]:
        """How many inputs the first output sees in front of the map, and how many the last one sees behind it."""
        last = ((self.size - 1) * self.stride - self.before + self.extent + self.up - 2) // self.up
        return max(0, -(-self.before // self.up)), max(0, last + 1 - self.length)

    def affected(self, span: Span) -> Span:
        """Outputs that see any input of a range."""
        first = -((self.extent - 1 - self.before - span.start * self.up) // self.stride)
        last = ((span.stop - 1) * self.up + self.before) // self.stride
        empty = span.stop <= span.start
        start = np.clip(first, 0, self.size)
        stop = np.clip(last + 1, 0, self.size)
        return Span(start, np.where(empty, start, np.maximum(start, stop)))

    def origin(self, start: np.ndarray) -> np.ndarray:
        """The first input of the piece that outputs from ``start`` on are computed of; below 0 in the padding.

        With ``up`` = 2 inputs lie at the places 0, 2, 4, ...: for an output that sees places from 3 on it is input 1,
        at place 2.
        """
        origin: np.ndarray = (start * self.stride - self.before) // self.up
        return origin

    def seeing(self, start: np.ndarray) -> np.ndarray:
        """The first output that sees an input from ``start`` on, were there outputs beyond the border; of stride 1."""
        first: np.ndarray = start + self.before - (self.extent - 1)
        return first

    def phase(self, start: np.ndarray) -> np.ndarray:
        """How many places behind `origin` outputs from ``start`` on begin to see.

        As many outputs more does the piece give in front of them. In the example of `origin` it is 3 - 2 = 1: the first
        output of the piece sees places from 2 on, and only the second is the one at ``start``.
        """
        phase: np.ndarray = (start * self.stride - self.before) % self.up
        return phase

    def needs(self, size: int) -> int:
        """How many inputs a run of ``size`` outputs sees; the most, since that depends on its phase."""
        return ((size - 1) * self.stride + self.extent + self.up - 2) // self.up + 1

    def gives(self, size: int) -> int:
        """How many outputs a piece of `needs` (``size``) inputs gives: with ``up`` = 1 that is ``size``.

        With ``up`` = 2 and an `extent` of 3, one output needs 2 inputs, since it may begin behind the first. These hold
        the places 0 to 3, which are enough for two outputs: one sees 0 to 2, the other 1 to 3.
        """
        return (self.needs(size) * self.up - self.extent) // self.stride + 1


def reaches(
    kernel: Sequence[int],
    stride: Sequence[int],
    before: Sequence[int],
    input: Sequence[int],
    output: Sequence[int],
    dilation: Sequence[int] = (1, 1),
    up: Sequence[int] = (1, 1),
) -> tuple[Reach, Reach]:
    """How a layer's outputs see its inputs, along rows and along columns.

    Parameters
    ----------
    kernel, stride, before, dilation, up : (rows, columns)
        As of `Reach`.
    input, output : (height, width)
        Of the layer's input and of its output.
    """
    rows, columns = (Reach(*along) for along in zip(kernel, stride, before, input, output, dilation, up))
    return rows, columns


def everything(count: int, shape: tuple[int, int]) -> Rectangles:
    """The whole map, for each of ``count`` windows."""
    return Rectangles(*(Span(np.zeros(count, int), np.full(count, length)) for length in shape))


def affected(rectangles: Rectangles, reaches: tuple[Reach, Reach]) -> Rectangles:
    """Rectangles of outputs that see any input of the given ones."""
    return Rectangles(*(reach.affected(span) for reach, span in zip(reaches, rectangles)))


def union(several: Sequence[Rectangles]) -> Rectangles:
    """The smallest rectangles that hold those of several maps of one size, window by window; empty ones add nothing."""
    if len(several) == 1:
        return several[0]
    filled = np.stack([rectangles.areas > 0 for rectangles in several])
    return Rectangles(*(_hull([rectangles[axis] for rectangles in several], filled) for axis in (0, 1)))


def stack(several: Sequence[Rectangles]) -> Rectangles:
    """Rectangles (n,) of each of V maps as one `Rectangles` (V, n)."""
    return Rectangles(*(Span(*map(np.stack, zip(*spans))) for spans in zip(*several)))


def level(rectangles: Rectangles, sizes: np.ndarray, *, share: float) -> list[Box]:
    """Of each map rectangles of one size that hold the given ones; those near the border are moved inside.

    Parameters
    ----------
    rectangles : Rectangles (V, n)
        Of V maps.
    sizes : (V, 2) int array
        Height and width of each map.
    share : float
        From this share of a map on, all of it is taken.

    Returns
    -------
    list of V boxes
        Of size 0 where all rectangles are empty.
    """
    some = rectangles.areas > 0
    most = np.stack([np.where(some, span.stop - span.start, 0).max(1) for span in rectangles], 1)
    most = np.where((most.prod(1) >= share * sizes.prod(1))[:, None], sizes, most)
    row, column = (np.clip(span.start, 0, (sizes - most)[:, [i]]) for i, span in enumerate(rectangles))
    return [Box(*box) for box in zip(row, column, *most.T.tolist())]


def by_size(rectangles: Rectangles) -> np.ndarray:
    """An order (n,) of windows in which those whose rectangles (V, n) have like sizes follow each other."""
    order: np.ndarray = np.lexsort(np.concatenate([span.stop - span.start for span in rectangles])[::-1])
    return order


def by_place(rectangles: Rectangles) -> np.ndarray:
    """An order (n,) of windows in which those whose rectangles (n,) lie at one place follow each other."""
    order: np.ndarray = np.lexsort([side for span in rectangles[::-1] for side in span[::-1]])
    return order


def overlap(offset: int, size: int, limit: int) -> tuple[slice, slice]:
    """Where a run of ``size`` from ``offset`` on lies in 0 ... limit: the part there, and which part of the run."""
    start, stop = max(offset, 0), min(offset + size, limit)
    stop = max(start, stop)
    return slice(start, stop), slice(start - offset, stop - offset)


def _hull(spans: Sequence[Span], filled: np.ndarray) -> Span:
    start = np.where(filled, np.stack([span.start for span in spans]), np.iinfo(np.int64).max).min(0)
    stop = np.where(filled, np.stack([span.stop for span in spans]), 0).max(0)
    none = ~filled.any(0)
    return Span(np.where(none, 0, start), np.where(none, 0, stop))
