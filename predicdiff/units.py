"""Addresses inside a net: blobs by name, units by index or a class's name; and numbers that count something."""

from __future__ import annotations

import difflib
import operator
from typing import Any, Mapping, Sequence

import numpy as np

from .errors import BlobError, SettingsError
from .protocols import Net, Progress, Unit, UnitLike


def whole_number(name: str, value: int) -> int:
    """A setting that is a whole number, as an int; a SettingsError if it is none."""
    try:
        return operator.index(value)
    except TypeError:
        raise SettingsError(f"{name} = {value!r}: want a whole number.") from None


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


def check_progress(progress: Progress | None) -> None:
    """A SettingsError if what is to be told how far the work is cannot be called."""
    if progress is not None and not callable(progress):
        raise SettingsError(f"progress = {progress!r}: want a function (done, in all), or None.")


def lookup(blobs: Mapping[str, tuple[int, ...]], blob: str) -> tuple[int, ...]:
    """Shape of ``blob`` among ``blobs``; an unknown one is an error that lists the near names."""
    if isinstance(blob, str) and blob in blobs:
        return tuple(blobs[blob])
    near = difflib.get_close_matches(str(blob), blobs, n=5, cutoff=0.4) or list(blobs)[-5:]
    raise BlobError(
        f"the net has no blob {blob!r}. Near names: {', '.join(near)}. `predicdiff blobs` (`net.blobs`) lists all."
    )


def check_unit(shape: tuple[int, ...], unit: UnitLike, *, blob: str) -> Unit:
    """An index into a blob as a tuple; shorter than the blob's rank where the rest is to be averaged.

    >>> check_unit((96, 27, 27), [3, 10, 12], blob="norm1"), check_unit((1000,), 281, blob="prob")
    ((3, 10, 12), (281,))
    """
    several = isinstance(unit, (Sequence, np.ndarray)) and not isinstance(unit, (str, bytes))
    parts: Any = unit if several else [unit]
    try:
        index = tuple(operator.index(i) for i in parts)
    except TypeError:
        raise BlobError(
            f"unit {unit!r}: want an index, (channel, row, column) in a map, or the name of a class."
        ) from None
    if not 1 <= len(index) <= len(shape) or any(not 0 <= i < size for i, size in zip(index, shape)):
        raise BlobError(f"unit {unit} is out of range: blob {blob!r} has the shape {shape}, indices from 0.")
    return index


def find_unit(net: Net, blob: str, unit: UnitLike) -> Unit:
    """A unit of a net's blob as `check_unit` gives it; a class of the net by its name too, see `class_index`."""
    shape = lookup(net.blobs, blob)
    if not isinstance(unit, str):
        return check_unit(shape, unit, blob=blob)
    labels = class_labels(net, blob)
    if labels is None:
        raise SettingsError(
            f"unit {unit!r}: no names are known of the units of blob {blob!r}. Give an index, or a blob of classes and "
            "their labels."
        )
    return (class_index(labels, unit),)


def class_labels(net: Net, blob: str) -> Sequence[str] | None:
    """A name for each class, if the blob is one of classes and the net knows their names."""
    named = net.labels is not None and blob in (net.scores, net.output) and len(net.labels) == net.blobs[blob][0]
    return net.labels if named else None


def class_index(labels: Sequence[str], name: str) -> int:
    """The index of the class that is called so: by its whole label, or by one of the names that commas part in it.

    Small and capital letters, and spaces around names, make no difference.

    >>> labels = ["tabby, tabby cat", "Egyptian cat"]
    >>> class_index(labels, "Tabby"), class_index(labels, "egyptian cat")
    (0, 1)

    Raises
    ------
    SettingsError
        If there is none, or more than one.
    """
    indices: dict[str, set[int]] = {}
    spelling: dict[str, str] = {}
    for index, label in enumerate(map(str, labels)):
        for alias in (label, *label.split(",")):
            indices.setdefault(_folded(alias), set()).add(index)
            spelling.setdefault(_folded(alias), alias.strip())
    found = sorted(indices.get(_folded(name), ()))
    if not found:
        near = _near(_folded(name), list(indices))
        hint = f"Near names: {'; '.join(spelling[alias] for alias in near)}." if near else "`net.labels` has all names."
        raise SettingsError(f"no class is called {name!r}. {hint} A class may be given by its number too.")
    if len(found) > 1:
        told = ", ".join(f"{index} ({labels[index]})" for index in found)
        raise SettingsError(f"more than one class is called {name!r}: {told}. Give one of these numbers.")
    return found[0]


def _near(name: str, names: Sequence[str]) -> list[str]:
    """Those that hold the name as a whole word, then those that are spelt nearly like it, five at most."""
    holding = [other for other in names if name and f" {name} " in f" {other} "]
    return list(dict.fromkeys([*holding, *difflib.get_close_matches(name, names, n=5, cutoff=0.5)]))[:5]


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def as_map(shape: Sequence[int]) -> tuple[int, int, int]:
    """Shape (C, H, W) of a blob, a vector counting as maps of one unit each; a BlobError if it has other axes."""
    if len(shape) == 1:
        return (int(shape[0]), 1, 1)
    if len(shape) != 3:
        raise BlobError(f"a blob of shape {tuple(shape)} can't be taken apart by windows: want (C, H, W) or (C,).")
    channels, height, width = shape
    return (int(channels), int(height), int(width))


def read(values: np.ndarray, units: Sequence[Unit]) -> np.ndarray:
    """Values of units (b, T) float64 in a batch of one blob (b, ...)."""
    indices: list[tuple[Any, ...]] = [(slice(None), *unit) for unit in units]
    picked = [values[index].reshape(len(values), -1).mean(axis=1, dtype=np.float64) for index in indices]
    return np.stack(picked, axis=1)
