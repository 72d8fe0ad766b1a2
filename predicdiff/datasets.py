"""HDF5 files that others made: plain arrays alone, looked at before any of their bytes is read.

HDF5 knows datasets whose values lie in other files, links into other files, datasets made of others, and references.
A file that uses them could have another file of this machine read and shown, or wait for ever at a pipe. Attributes are
not looked at here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Iterator

from . import budget
from .chunks import layout_of, read_chunks
from .errors import FormatError
from .name_trees import Content

if TYPE_CHECKING:
    import h5py

#: Groups in groups, and datasets and groups in all, each of which takes a tenth of a millisecond and more.
DEEPEST, MOST_DATASETS = 16, 20_000
#: Nothing that deflate packs grows more than this; what other filters pack tighter is refused.
DEFLATE = 1032
#: Chunks, each of which takes as long.
MOST_CHUNKS = 200_000
#: While a chunk is unpacked: its bytes, and what they are after one step and the next.
COPIES = 3


def plain_values(group: h5py.Group, content: Content, width: int = 1) -> Iterator[tuple[str, Any]]:
    """What the datasets hold that `plain_datasets` finds, by their paths: arrays, or a text or bytes of one.

    Errors are its, too; all datasets are looked at before the first is read. ``content`` is the whole file, and
    ``width`` how many bytes the caller makes of each value at least.
    """
    size = left = len(content)
    for name, dataset in sorted(plain_datasets(group, size, width).items()):
        layout = layout_of(dataset)
        if layout is not None:
            values, taken = read_chunks(dataset, layout, left)
        else:
            if dataset.dtype.kind == "O":
                _check_length(dataset, content)
            values = dataset[()]
            taken = len(values) if isinstance(values, (str, bytes)) else 0  # arrays were counted by their shapes
        left -= taken
        if left < 0:
            raise FormatError(f"{dataset.name}: the file's texts hold more than the file.")
        yield name, values


def plain_datasets(group: h5py.Group, size: int, width: int = 1) -> dict[str, h5py.Dataset]:
    """The datasets in a group and in its groups, by their paths in it, none of which points out of the file.

    Parameters
    ----------
    group : h5py.Group
        A file, or a group of one.
    size : int
        Bytes of the file, which bound what its datasets may hold.
    width : int
        Bytes that each value will take at least.

    Raises
    ------
    FormatError
        If a link is no hard link, values lie elsewhere or are references, groups lie too deep or in themselves, values
        lie in too many pieces, or the datasets together want more memory than the file can hold, or than may be taken.
        The file's name is left to the caller.
    """
    found: dict[str, h5py.Dataset] = {}
    held = {False: 0, True: 0}  # by whether it lies there in chunks, which may be packed
    taken = largest = chunks = 0
    for name, dataset in _walk(group):
        _check_plain(dataset)
        layout = layout_of(dataset)
        values = math.prod(dataset.shape)
        if layout is not None:  # whose last chunks reach over the ends
            chunk = math.prod(layout.sides)
            values, largest = chunk * math.prod(layout.counts), max(largest, chunk * dataset.dtype.itemsize)
            chunks += math.prod(layout.counts)
        packed = layout is not None
        held[packed] += values * dataset.dtype.itemsize
        taken += values * max(dataset.dtype.itemsize, width)
        if held[packed] > size * (DEFLATE if packed else 1):
            raise FormatError(f"{dataset.name}: shape {dataset.shape} wants more than the file holds. Is it complete?")
        if chunks > MOST_CHUNKS:
            raise FormatError(
                f"{dataset.name}: with it more than {MOST_CHUNKS:,} chunks are to be read: want larger ones."
            )
        budget.ask(taken + COPIES * largest, "what its arrays hold", FormatError)
        found[name] = dataset
    return found


def _check_length(dataset: h5py.Dataset, content: Content) -> None:
    """Refuse a text that is said to be longer than the file, since HDF5 makes room for it before it looks."""
    place = dataset.id.get_offset()
    if place is None or int.from_bytes(content[place : place + 4], "little") > len(content):
        raise FormatError(f"{dataset.name}: a text that is not in the file. Is it complete?")


def _walk(top: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    import h5py

    seen, count = set(), 0
    waiting: list[tuple[str, h5py.Group, int]] = [("", top, 0)]
    while waiting:
        prefix, group, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or depth > DEEPEST:
            raise FormatError(
                f"want groups at most {DEEPEST} deep and each in one place: it is put together otherwise."
            )
        seen.add(address)
        for name in group:
            count += 1
            if count > MOST_DATASETS:
                raise FormatError(f"more than {MOST_DATASETS} datasets and groups.")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise FormatError(
                    f"{group.name.rstrip('/')}/{name}: a link that may lead out of the file, which is not followed."
                )
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((f"{prefix}{name}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield f"{prefix}{name}", item


def _check_plain(dataset: h5py.Dataset) -> None:
    import h5py

    name = dataset.name
    if dataset.external or dataset.is_virtual:
        raise FormatError(f"{name}: its values lie in another file, which is not read.")
    if dataset.shape is None:
        raise FormatError(f"{name}: holds no values.")
    # texts are numbers' only companions: anything else of variable length may be a reference, and of many texts nothing
    # says how long they are
    is_text = h5py.check_string_dtype(dataset.dtype) is not None and dataset.shape == ()
    is_number = dataset.dtype.kind in "biuf" and dataset.id.get_type() == h5py.h5t.py_create(
        dataset.dtype, logical=True
    )
    if not is_number and not is_text:
        raise FormatError(f"{name}: holds {dataset.dtype} {dataset.shape}, want real numbers or one text.")
