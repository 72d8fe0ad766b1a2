"""Layer types that take their bottoms' values as they are, and arrange them otherwise."""

from __future__ import annotations

import math
from typing import Sequence

from ...engine.geometry import Shape
from ..fields import Fields
from .base import ASIDE, SAME, LayerType, Shapes


def concat(fields: Fields) -> Shapes:
    """Bottoms one after the other along one axis."""
    bottoms = fields.take(1, None)
    axis = _axis(fields, bottoms[0], "concat_dim")
    if any(
        b[:axis] + b[axis + 1 :] != bottoms[0][:axis] + bottoms[0][axis + 1 :] or len(b) != len(bottoms[0])
        for b in bottoms
    ):
        raise fields.error(f"joins blobs of shapes {_list(bottoms)}, want equal ones but for axis {axis + 1}")
    top = bottoms[0][:axis] + (sum(b[axis] for b in bottoms),) + bottoms[0][axis + 1 :]
    return Shapes((top,), (), {"axis": axis})


def slices(fields: Fields) -> Shapes:
    """Its bottom in parts along one axis: cut at ``slice_point``, else as many equal ones as there are tops."""
    (bottom,) = fields.take(1)
    axis = _axis(fields, bottom, "slice_dim")
    length, count = bottom[axis], len(fields.layer.tops)
    points = fields.wholes("slice_point")
    if not points and (count == 0 or length % count):
        raise fields.error(f"slices {length} of axis {axis + 1} into {count} tops: want equal parts, or slice_point")
    if points and len(points) != count - 1:
        raise fields.error(f"has {len(points)} slice_point for {count} tops, want one less than tops")
    bounds = (0, *(points or range(length // count, length, length // count)), length)
    sizes = [stop - start for start, stop in zip(bounds, bounds[1:])]
    if min(sizes) < 1:
        raise fields.error(
            f"has slice_point {list(points)}, want them ascending within the {length} of axis {axis + 1}"
        )
    tops = tuple(bottom[:axis] + (size,) + bottom[axis + 1 :] for size in sizes)
    return Shapes(tops, (), {"axis": axis, "bounds": bounds})


def crop(fields: Fields) -> Shapes:
    """Of the first bottom, from ``axis`` on, as much as the second has, from the offsets on."""
    bottom, like = fields.take(2, 2)
    axis, offsets = fields.axis(len(bottom), 2), fields.wholes("offset")
    count = len(bottom) - axis
    if len(offsets) not in (0, 1, count):
        raise fields.error(f"has {len(offsets)} values of offset, want one, or one for each of {count} axes")
    if len(like) < len(bottom):
        raise fields.error(f"crops a blob of shape {bottom} to one of shape {like}, want as many axes")
    begins = (0,) * axis + (offsets * count if len(offsets) == 1 else offsets or (0,) * count)
    top = bottom[:axis] + like[axis : len(bottom)]
    if any(begin + size > length for begin, size, length in zip(begins, top, bottom)):
        raise fields.error(f"crops {_list([top])} from {begins} on out of {bottom}, which does not hold it")
    return Shapes((top,), (), {"begins": begins})


def flatten(fields: Fields) -> Shapes:
    """Axes ``axis`` to ``end_axis`` become one."""
    (bottom,) = fields.take(1)
    start, end = fields.axis(len(bottom), 1), fields.axis(len(bottom), -1, name="end_axis")
    if start > end:
        raise fields.error(f"flattens axis {start + 1} to {end + 1}, want the first before the last")
    return Shapes((bottom[:start] + (math.prod(bottom[start : end + 1]),) + bottom[end + 1 :],))


def reshape(fields: Fields) -> Shapes:
    """Dimensions as given; 0 copies the bottom's, -1 takes what is left over."""
    (bottom,) = fields.take(1)
    whole = (1, *bottom)  # a batch of one: the batch axis has to come out as it went in
    start = fields.whole("axis", 0, least=-len(whole) - 1)
    start += len(whole) + 1 if start < 0 else 0
    count = fields.whole("num_axes", -1, least=-1)
    end = len(whole) if count == -1 else start + count
    if max(start, end) > len(whole):
        raise fields.error(f"reshapes axes {start} to {end} of a blob that has {len(whole)}")
    dims = [whole[start + i] if d == 0 and start + i < end else d for i, d in enumerate(fields.dims())]
    left, right = whole[:start], whole[end:]
    known = math.prod(left) * math.prod(right) * math.prod(d for d in dims if d != -1)
    if dims.count(-1) > 1 or any(d < -1 or d == 0 for d in dims):
        raise fields.error(
            f"has the dimensions {fields.dims()}, want positive ones, 0 for the bottom's and one -1 at most"
        )
    top = left + tuple(math.prod(whole) // known if d == -1 else d for d in dims) + right
    if math.prod(top) != math.prod(whole):
        raise fields.error(f"makes dimensions {fields.dims()} of {bottom}, which has another number of elements")
    if top[:1] != (1,):
        raise fields.error(f"has the dimensions {fields.dims()}, which mix the images of a batch: want 0 first")
    return Shapes((top[1:],))


def silence(fields: Fields) -> Shapes:
    """No tops: so that Caffe does not print bottoms that nothing else reads."""
    fields.take(1, None)
    if fields.layer.tops:
        raise fields.error(f"has {len(fields.layer.tops)} tops, want none")
    return Shapes(())


def split(fields: Fields) -> Shapes:
    """The same blob under several names."""
    return Shapes(fields.take(1) * len(fields.layer.tops))


def tile(fields: Fields) -> Shapes:
    """Its bottom several times, one after the other along one axis."""
    (bottom,) = fields.take(1)
    axis, tiles = fields.axis(len(bottom), 1), fields.whole("tiles", least=1)
    return Shapes((bottom[:axis] + (tiles * bottom[axis],) + bottom[axis + 1 :],), (), {"axis": axis, "tiles": tiles})


def _axis(fields: Fields, bottom: Shape, old_name: str) -> int:
    """The axis, which has another name, ``old_name``, in old files."""
    if fields.has("axis") and fields.has(old_name):
        raise fields.error(f"has both axis and {old_name}, want one of them")
    return fields.axis(len(bottom), 1, name=old_name if fields.has(old_name) else "axis")


def _list(bottoms: Sequence[Shape]) -> str:
    return " and ".join(map(str, bottoms))


TYPES = (
    LayerType("Concat", concat),
    LayerType("Crop", crop, inputs=1),
    LayerType("Flatten", flatten, shares=True, holds=SAME),
    LayerType("Reshape", reshape, shares=True, holds=SAME),
    LayerType("Silence", silence, several_tops=True, holds=ASIDE),
    LayerType("Slice", slices, several_tops=True),
    LayerType("Split", split, several_tops=True, shares=True, holds=SAME),
    LayerType("Tile", tile),
)
