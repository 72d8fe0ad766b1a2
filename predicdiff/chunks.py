"""Values that an HDF5 file holds in chunks, unpacked here and not by HDF5.

HDF5 inflates a chunk to whatever its bytes hold, be it a thousand times what its place in the array has room for, and
some releases look behind the end of one that is too short. Here each chunk is there, and holds just what its place has
room for.
"""

from __future__ import annotations

import itertools
import math
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .errors import FormatError

if TYPE_CHECKING:
    import h5py

#: HDF5's own numbers of filters. Any other may be code that HDF5 looks for in a folder.
INFLATE, SHUFFLE, CHECKSUM = 1, 2, 3
#: Bytes of that checksum, behind a chunk's; deflate brings another, which zlib looks at.
SUM_BYTES = 4


class Layout(NamedTuple):
    """How the values of a dataset lie in chunks: the sides of one, how many on each axis, and filters as applied."""

    sides: tuple[int, ...]
    counts: tuple[int, ...]
    filters: tuple[int, ...]


def layout_of(dataset: h5py.Dataset) -> Layout | None:
    """The layout of a dataset, None where it lies in one piece; a FormatError where its filters are no plain ones."""
    plan = dataset.id.get_create_plist()
    told = [plan.get_filter(number) for number in range(plan.get_nfilters())]
    filters = tuple(number for number, *_ in told)
    # a width may be left out, as zero values are
    widths = {width for number, _, values, _ in told if number == SHUFFLE for width in values[:1]}
    if not {INFLATE, SHUFFLE, CHECKSUM}.issuperset(filters) or len(set(filters)) < len(filters):
        raise FormatError(
            f"{dataset.name}: is packed by filters {list(filters)}, want deflate (gzip) and shuffle, once, or none."
        )
    if not widths <= {dataset.dtype.itemsize}:
        raise FormatError(f"{dataset.name}: is shuffled as if its numbers had another width.")
    if dataset.chunks is None:
        return None
    counts = tuple(-(-side // chunk) for side, chunk in zip(dataset.shape, dataset.chunks))
    return Layout(dataset.chunks, counts, filters)


def read_chunks(dataset: h5py.Dataset, layout: Layout, most: int) -> tuple[np.ndarray, int]:
    """The values of a dataset, and how many bytes of the file they were.

    Parameters
    ----------
    dataset : h5py.Dataset
        Of numbers that NumPy knows as they lie there.
    layout : Layout
        Its layout.
    most : int
        Bytes of the file that nothing else was read from: no byte stands for two values.

    Raises
    ------
    FormatError
        If a chunk is not there, is damaged, or holds more or less than its place has room for.
    """
    values = np.empty(dataset.shape, dataset.dtype)
    taken = 0
    for number in itertools.product(*map(range, layout.counts)):
        corner = tuple(place * side for place, side in zip(number, layout.sides))
        try:
            mask, stored = dataset.id.read_direct_chunk(corner)
        except (OSError, RuntimeError, ValueError, MemoryError):  # which of them depends on the release
            raise FormatError(f"{dataset.name}: the chunk at {corner} is not there. Is the file complete?") from None
        taken += len(stored)
        if taken > most:
            raise FormatError(f"{dataset.name}: its chunks hold more than the file.")
        chunk = _unpacked(stored, mask, layout, dataset)
        inside = tuple(slice(start, start + side) for start, side in zip(corner, layout.sides))
        place = values[inside]
        place[...] = chunk[tuple(map(slice, place.shape))]
    return values, taken


def _unpacked(stored: bytes, mask: int, layout: Layout, dataset: h5py.Dataset) -> np.ndarray:
    """One chunk, of the bytes that are stored of it; ``mask`` tells by bits which filters were passed over."""
    width = dataset.dtype.itemsize
    room = math.prod(layout.sides) * width
    content = stored
    for place, number in reversed(list(enumerate(layout.filters))):
        if mask >> place & 1:
            continue
        if number == INFLATE:
            content = _inflated(content, room + SUM_BYTES)
        elif number == SHUFFLE:
            content = _in_order(content, width)
        else:
            content = content[:-SUM_BYTES]
    if len(content) != room:
        raise FormatError(
            f"{dataset.name}: a chunk of it is damaged, or holds other than the {room} bytes of its place."
        )
    return np.frombuffer(content, dataset.dtype).reshape(layout.sides)


def _inflated(content: bytes, most: int) -> bytes:
    """What deflate packed; nothing where that is damaged, or more than ``most`` bytes."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(content, most + 1)
    except zlib.error:
        return b""
    return inflated if stream.eof else b""


def _in_order(content: bytes, width: int) -> bytes:
    """The bytes of numbers, of all their first bytes, then all their second ones; what is no whole number stays."""
    whole = len(content) // width * width
    planes = np.frombuffer(content, np.uint8, whole).reshape(width, -1)
    return planes.T.tobytes() + content[whole:]
