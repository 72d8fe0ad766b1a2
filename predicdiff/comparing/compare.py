"""Two maps held against each other, or a map against a picture of one, and both against maps of other images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Iterator, Union

import numpy as np

from ..errors import ImageError, SettingsError
from ..explanation import Explanation
from ..files import open_regular
from ..image_files import Intensity
from ..images import Frame, load_image
from ..texts import one_line
from ..validation import MOST_SHOWN
from .comparison import Comparison
from .pictures import LIMITED, clipped, relevance_of, style_of
from .registration import Placement, register
from .similarity import similarity

HDF5 = b"\x89HDF\r\n\x1a\n"
ONLY_HALF = "the picture shows no values above half of the largest: the maps were limited likewise."
Map = Union[Explanation, np.ndarray]


def load(path: str | Path, *, intensity: Intensity = None) -> Explanation | np.ndarray:
    """An explanation or a picture (h, w, 3) from a file, told apart by its content.

    ``intensity`` says what is black and white in a picture, as for `load_image`.

    Raises
    ------
    ExplanationError, ImageError
        If it is missing, damaged, or neither.
    """
    path = Path(path)
    try:
        with open_regular(path, ImageError) as file:
            start = file.read(len(HDF5))
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file. Give an explanation (.h5) or a picture of one (PNG, JPEG).") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}).") from error
    # a file cut short is called what its name says it is
    named = path.suffix.lower() in (".h5", ".hdf5")
    return Explanation.load(path) if named or start == HDF5 else load_image(path, intensity=intensity)


def compare(
    a: Map,
    b: Map,
    *,
    nulls: Iterable[Map] = (),
    target: int = 0,
    other_target: int | None = None,
    style: str = "auto",
    whole: bool = False,
    top: float = 0.05,
) -> Comparison:
    """How alike two maps are, and how alike maps of other images would be.

    A picture's colours are turned back into relevance, which `register` lays over the map; the map is limited to what
    such a picture shows (`pictures.clipped`). A second map is brought to the first one's pixels: through the image,
    where both are explanations of one and their nets saw different parts of it, otherwise by resizing; a note says so.

    Parameters
    ----------
    a : Explanation or (H, W) float array
    b : Explanation, (h, w) float array or picture (h, w, 3) uint8
        A picture is a map's panel alone, without axes, title or colour bar.
    nulls : iterable of Explanation or (H', W') float array
        Maps of other images, of any size, made as ``a`` was. Each takes its place, is limited as ``a`` is, and is
        brought together with ``b`` in the same way: a picture by `register`, as freely, a map by resizing. Those of the
        same image are left out, and noted.
    target : int
        Which of an explanation's maps, by its place in ``targets``; of the null maps too.
    other_target : int, optional
        That of ``b``, by default the same.
    style, whole, top
        As for `relevance_of`, `register` and `similarity`.

    Returns
    -------
    Comparison

    Raises
    ------
    ImageError
        If either is no map, or the picture shows none.
    SettingsError
        If an explanation has no such target, the style is unknown, or ``whole`` is asked for without a picture.

    Examples
    --------
    >>> import predicdiff as pd
    >>> rows, columns = np.mgrid[:20, :20]
    >>> comparison = pd.compare(np.sin(rows / 3), 2 * np.sin(rows / 3), nulls=[np.sin(columns / 3)])
    >>> round(comparison.similarity.pearson, 3), [abs(null.pearson) < 1e-9 for null in comparison.nulls]
    (1.0, [True])
    """
    if isinstance(nulls, Explanation) or not isinstance(nulls, Iterable):
        raise SettingsError(f"nulls are a {type(nulls).__name__}: want a list of explanations or maps.")
    notes: list[str] = []
    first, other_target = _map(a, target, "the first"), target if other_target is None else other_target
    if _is_picture(b):
        picture, drawn, title = np.array(b), style_of(np.asarray(b), style=style), "picture"
        second, first = relevance_of(picture, style=drawn), clipped(first, drawn)
        aligned, placement = register(second, first, whole=whole)
        if drawn in LIMITED:
            notes.append(ONLY_HALF)
    elif whole:
        raise SettingsError("whole (--whole) is for a picture, and the second is a map: leave it out.")
    else:
        picture, drawn = None, None
        second, title = _map(b, other_target, "the second"), _title(b, other_target, "second map")
        placement, notes = _between(a, b, first.shape, second.shape)
        aligned = placement.take(second, first.shape)
    others = [
        similarity(one, _resized(second, one) if drawn is None else register(second, one, whole=whole)[0], top=top)
        for one in (null if drawn is None else clipped(null, drawn) for null in _others(nulls, a, target, notes))
    ]
    return Comparison(
        similarity=similarity(first, aligned, top=top),
        a=first,
        b=aligned,
        titles=(_title(a, target, "first map"), title),
        top=top,
        nulls=others,
        notes=notes,
        picture=picture,
        style=drawn,
        whole=whole,
        placement=placement,
    )


def _is_picture(one: Map) -> bool:
    return not isinstance(one, Explanation) and np.ndim(one) == 3


def _map(one: Map, target: int, name: str) -> np.ndarray:
    """The map (H, W) to compare, a copy, NaN where it is not finite."""
    try:
        values = one.pick(target).relevance[0] if isinstance(one, Explanation) else np.asarray(one)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "biuf":
        hint = " A picture can only be the second." if _is_picture(values) else ""
        raise ImageError(
            f"{name} is an array {values.shape} of {values.dtype}: want an explanation or a map (height, width).{hint}"
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).any():
        raise ImageError(f"{name}, {values.shape[0]} x {values.shape[1]} pixels, holds no finite number.")
    return np.where(np.isfinite(values), values, np.nan)


def _title(one: Map, target: int, otherwise: str) -> str:
    if not isinstance(one, Explanation):
        return otherwise
    net = one.provenance.get("net")
    name = net.get("name") if isinstance(net, dict) else None
    return one.targets[target].title + (f" ({one_line(name, MOST_SHOWN)})" if name else "")


def _between(a: Map, b: Map, shape: tuple[int, ...], other: tuple[int, ...]) -> tuple[Placement, list[str]]:
    """Where the first map's pixels lie in the second map, and what there is to say of it."""
    notes = []
    if isinstance(a, Explanation) and isinstance(b, Explanation):
        if a.image is not None and b.image is not None and not np.array_equal(a.image, b.image):
            notes.append("the two maps are of different images.")
        elif a.frame and b.frame and a.frame != b.frame and a.frame.original == b.frame.original:
            return _through_image(a.frame, b.frame, shape, other), [
                "the nets saw different parts of the image: the second map was brought to the first one's pixels."
            ]
    if shape != other:
        sizes = [f"{height} x {width}" for height, width in (other, shape)]
        notes.append(f"the second map was resized from {sizes[0]} to the first one's {sizes[1]}.")
    return Placement.stretched(other, shape), notes


def _through_image(first: Frame, second: Frame, shape: tuple[int, ...], other: tuple[int, ...]) -> Placement:
    """From the pixels of a map of one view of an image to those of a map of another view."""
    scale, offset = [], []
    for axis in (0, 1):
        step = second.resized[axis] / first.resized[axis]
        # a map of a hidden blob has fewer pixels than the view
        finer = other[axis] / second.size[axis]
        scale.append(step * finer * first.size[axis] / shape[axis])
        offset.append((first.corner[axis] * step - second.corner[axis]) * finer)
    return Placement((scale[0], scale[1]), (offset[0], offset[1]))


def _resized(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return Placement.stretched(values.shape, like.shape).take(values, like.shape)


def _others(nulls: Iterable[Map], a: Map, target: int, notes: list[str]) -> Iterator[np.ndarray]:
    """Maps of other images; says in ``notes`` how many were of the same."""
    same = 0
    for number, null in enumerate(nulls):
        if _same_image(a, null):
            same += 1
        else:
            yield _map(null, target, f"null map {number}")
    if same:
        notes.append(f"{same} of the null maps left out: of the first one's image.")


def _same_image(a: Map, b: Map) -> bool:
    if isinstance(a, Explanation) and isinstance(b, Explanation):
        if a.image is not None and b.image is not None:
            return np.array_equal(a.image, b.image)
        return np.array_equal(a.pixels, b.pixels)
    return not isinstance(a, Explanation) and not isinstance(b, Explanation) and np.array_equal(a, b)
