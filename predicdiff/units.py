"""Addresses inside a net: blobs by name, units by index; and numbers that count something."""

from __future__ import annotations

import math
import operator
from typing import Any, Callable, Mapping, Sequence, Tuple

import numpy as np

from .errors import BlobError, SettingsError
from .protocols import Unit, UnitLike
from .texts import near, one_line


class Masked(Tuple[int, ...]):
    """The index of a map (C, height, width)'s channel, averaged over some ``places`` of it: indices in their order."""

    places: np.ndarray

    def __new__(cls, index: Sequence[int], places: Any = ()) -> Masked:
        """An index of one number."""
        unit = super().__new__(cls, index)
        unit.places = np.asarray(places, int)
        return unit


def in_channel(unit: Unit, channel: int) -> Unit:
    """The same place or places in another channel."""
    return Masked((channel,), unit.places) if isinstance(unit, Masked) else (channel, *unit[1:])


#: Beyond the largest whole number of any setting, that of a seed.
TOO_LARGE = 2**64


def whole_number(name: str, value: int) -> int:
    """A setting that is a whole number, as an int; a SettingsError if it is none, or one of more than 64 bits."""
    try:
        number = operator.index(value)
    except TypeError:
        raise SettingsError(f"{name} = {value!r}: want a whole number.") from None
    if abs(number) >= TOO_LARGE:
        raise SettingsError(f"{name} = {one_line(number, 40)}: far too large a number.")
    return number


def real_number(name: str, value: float) -> float:
    """A setting that is a number, as a float; a SettingsError if it is none, such as a text or NaN."""
    number = float(value) if isinstance(value, (int, float, np.number)) else np.nan
    if np.isnan(number):
        raise SettingsError(f"{name} = {value!r}: want a number.")
    return number


def image_shape(name: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """A setting that is a shape (C, H, W), as plain ints; a SettingsError if it is none."""
    try:
        channels, height, width = (operator.index(size) for size in shape)
    except (TypeError, ValueError):
        channels = height = width = 0
    if min(channels, height, width) < 1:
        raise SettingsError(f"{name} = {shape!r}: want (channels, height, width), such as (3, 224, 224).")
    return (channels, height, width)


def check_progress(progress: Callable[..., object] | None) -> None:
    """A SettingsError if what is to be told how far the work is cannot be called."""
    if progress is not None and not callable(progress):
        raise SettingsError(f"progress = {progress!r}: want a function (done, in all), or None.")


def lookup(blobs: Mapping[str, tuple[int, ...]], blob: str) -> tuple[int, ...]:
    """Shape of ``blob`` among ``blobs``; an unknown one is an error that lists the near names."""
    if isinstance(blob, str) and blob in blobs:
        return tuple(blobs[blob])
    similar = near(str(blob), blobs, 5, cutoff=0.4) or list(blobs)[-5:]
    raise BlobError(
        f"the net has no blob {blob!r}. Near names: {', '.join(similar)}. `predicdiff blobs` (`net.blobs`) lists all."
    )


def channels(shape: Sequence[int]) -> int:
    """How many classes, maps or units lie along the first axis of a blob; 1 in one that is a single number."""
    return shape[0] if shape else 1


def check_unit(shape: tuple[int, ...], unit: UnitLike, *, blob: str) -> Unit:
    """An index into a blob as a tuple; shorter than the blob's rank where the rest is to be averaged.

    In a blob that is a single number this is unit 0, whose index is empty.

    >>> check_unit((96, 27, 27), [3, 10, 12], blob="norm1"), check_unit((1000,), 281, blob="prob")
    ((3, 10, 12), (281,))
    """
    if isinstance(unit, Masked) and unit.places.max(initial=0) < math.prod(shape[1:]):
        return Masked(check_unit(shape, tuple(unit), blob=blob), unit.places)
    several = isinstance(unit, (Sequence, np.ndarray)) and not isinstance(unit, (str, bytes))
    parts: Any = unit if several else [unit]
    try:
        index = tuple(operator.index(i) for i in parts)
    except TypeError:
        raise BlobError(
            f"unit {unit!r}: want an index, (channel, row, column) in a map, or the name of a class."
        ) from None
    if not shape and index in ((), (0,)):
        return ()
    if not 1 <= len(index) <= len(shape) or any(not 0 <= i < size for i, size in zip(index, shape)):
        raise BlobError(f"unit {unit} is out of range: blob {blob!r} has the shape {shape}, indices from 0.")
    return index


def as_map(shape: Sequence[int]) -> tuple[int, int, int]:
    """Shape (C, H, W) of a blob that windows take apart.

    A vector (C,) counts as maps of one unit each, tokens (N, d) as one map with a token in each row. A BlobError if a
    blob has other axes.
    """
    if len(shape) == 1:
        return (int(shape[0]), 1, 1)
    if len(shape) == 2:
        return (1, int(shape[0]), int(shape[1]))
    if len(shape) != 3:
        raise BlobError(
            f"a blob of shape {tuple(shape)} can't be taken apart by windows: want (C, H, W), (C,) or tokens (N, d)."
        )
    channels, height, width = shape
    return (int(channels), int(height), int(width))


def read(values: np.ndarray, units: Sequence[Unit]) -> np.ndarray:
    """Values of units (b, T) float64 in a batch of one blob (b, ...)."""
    return np.stack([_at(values, unit).mean(axis=1, dtype=np.float64) for unit in units], axis=1)


def _at(values: np.ndarray, unit: Unit) -> np.ndarray:
    """What a unit averages (b, places) of a blob (b, ...)."""
    index: tuple[Any, ...] = (slice(None), *unit)
    found = values[index].reshape(len(values), -1)
    return found[:, unit.places] if isinstance(unit, Masked) else found
