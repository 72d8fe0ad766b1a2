"""Arrays as nets want them, and the hash of what they have learnt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Sequence, Union

import numpy as np

from ..errors import ImageError, SettingsError
from ..units import as_map
from ..windows import paste

#: A shape; a letter in it is any size from 1, the same wherever it comes again.
Wanted = Sequence[Union[int, str]]


def numbers(values: Any, wanted: Wanted, *, who: str) -> np.ndarray:
    """``values`` as a float32 array, if they are finite numbers of a shape ``wanted``; otherwise an ImageError."""
    array = np.asarray(values)
    check_shape(array.shape, wanted, who=who)
    if array.dtype.kind not in "fiub":
        raise ImageError(f"{who} wants numbers, not an array of {array.dtype}.")
    with np.errstate(over="ignore"):
        array = np.asarray(array, np.float32)
    if not np.isfinite(array).all():
        raise ImageError(f"{who} wants finite numbers, not NaN or infinity.")
    return array


def check_shape(shape: tuple[int, ...], wanted: Wanted, *, who: str) -> None:
    """Refuse an array of another shape."""
    sizes = dict(zip(wanted, shape))  # a letter that comes twice has the last of its sizes
    fits = len(shape) == len(wanted) and all(
        size == (sizes[wish] if isinstance(wish, str) else wish) and (size > 0 or wish == 0)
        for size, wish in zip(shape, wanted)
    )
    if not fits:
        raise ImageError(f"{who} wants an array ({inside(wanted)}), not one of shape {shape}.")


def checked_shape(shape: Any) -> tuple[int, int, int]:
    """``shape`` as (channels, height, width), if it is one."""
    try:
        channels, height, width = (int(size) for size in shape)
    except (TypeError, ValueError):
        raise SettingsError(f"input_shape is {shape!r}: want (channels, height, width).") from None
    if min(channels, height, width) < 1:
        raise SettingsError(f"input_shape is {shape!r}: want (channels, height, width), each at least 1.")
    return channels, height, width


def inside(shape: Wanted) -> str:
    """A shape in words, without its brackets."""
    return ", ".join(map(str, shape))


def in_batches(patches: np.ndarray, size: int) -> Iterator[tuple[slice, tuple[np.ndarray, np.ndarray]]]:
    """Batches of the n S draws of patches (n, S, ...): where each lies among them, and its windows and draws."""
    count, samples = patches.shape[:2]
    for start in range(0, count * samples, size):
        batch = slice(start, min(start + size, count * samples))
        yield batch, np.divmod(np.arange(batch.start, batch.stop), samples)


def set_in(values: np.ndarray, patches: np.ndarray, origins: np.ndarray) -> None:
    """Set a patch (b, C, k, k) into each of a blob's values (b, ...), at ``origins`` (b, 2), where they lie."""
    paste(values.reshape(len(values), *as_map(values.shape[1:])), patches, origins)


def hash_of(arrays: Iterable[np.ndarray]) -> str:
    """SHA-1 of arrays' bytes, in C order."""
    digest = hashlib.sha1()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return "sha1:" + digest.hexdigest()
