"""HDF5 files that others made: plain arrays alone, looked at before any of their bytes is read.

HDF5 knows datasets whose values lie in other files, links into other files, datasets made of others, and references.
A file that uses them could have another file of this machine read and shown, or wait for ever at a pipe. Attributes are
not looked at here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

from . import budget
from .errors import FormatError

if TYPE_CHECKING:
    import h5py

#: Groups in groups, and datasets and groups in all, each of which takes a tenth of a millisecond and more.
DEEPEST, MOST_DATASETS = 16, 20_000
#: Nothing that deflate packs grows more than this; what other filters pack tighter is refused.
DEFLATE = 1032
#: HDF5's own numbers of deflate, shuffle and a checksum. Any other may be code that HDF5 looks for in a folder.
PACKED_BY = {1, 2, 3}


def plain_datasets(group: h5py.Group, size: int) -> dict[str, h5py.Dataset]:
    """The datasets in a group and in its groups, by their paths in it, none of which points out of the file.

    Parameters
    ----------
    group : h5py.Group
        A file, or a group of one.
    size : int
        Bytes of the file, which bound what its datasets may hold.

    Raises
    ------
    FormatError
        If a link is no hard link, values lie elsewhere or are references, groups lie too deep or in themselves, or the
        datasets together want more memory than the file can hold, or than may be taken. The file's name is left to the
        caller.
    """
    found: dict[str, h5py.Dataset] = {}
    wanted = {False: 0, True: 0}  # by whether it lies there in pieces, which may be packed
    for name, dataset in _walk(group):
        _check_plain(dataset)
        packed = dataset.chunks is not None
        wanted[packed] += dataset.size * dataset.dtype.itemsize
        if wanted[packed] > size * (DEFLATE if packed else 1):
            raise FormatError(f"{dataset.name}: shape {dataset.shape} wants more than the file holds. Is it complete?")
        budget.ask(sum(wanted.values()), "what its arrays hold", FormatError)
        found[name] = dataset
    return found


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
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    if not PACKED_BY.issuperset(filters) or len(set(filters)) < len(filters):
        raise FormatError(f"{name}: is packed by filters {filters}, want deflate (gzip) and shuffle, once, or none.")
    if dataset.shape is None:
        raise FormatError(f"{name}: holds no values.")
    # texts are numbers' only companions: anything else of variable length may be a reference, and of many texts nothing
    # says how long they are
    is_text = h5py.check_string_dtype(dataset.dtype) is not None and dataset.shape == ()
    if dataset.dtype.kind not in "biufc" and not is_text:
        raise FormatError(f"{name}: holds {dataset.dtype} {dataset.shape}, want numbers or one text.")
