"""Masks: which places of a map of classes are explained, said in the picture's pixels, the net's or the map's."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from .errors import SettingsError
from .images import Frame, enlarge, load_image
from .protocols import Json
from .units import Masked, Unit
from .windows import by

#: A file's mask is black and white: of its pixels no more than this may be neither, as edges are that were smoothed.
GREY = 0.05


def load_mask(path: str | Path) -> np.ndarray:
    """A mask (H, W) from a black and white picture: what is white, half as bright as the brightest pixel at least.

    Raises
    ------
    ImageError
        If it cannot be read.
    SettingsError
        If it is black throughout, or not black and white.
    """
    bright = load_image(path).max(axis=2)
    most = int(bright.max())
    if most == 0:
        raise SettingsError(f"{path}: black throughout, want a mask, white where something is to be explained.")
    # held against whole numbers, as the pixels are: floats would take eight times as much memory
    if ((bright > math.floor(0.1 * most)) & (bright < math.ceil(0.9 * most))).mean() > GREY:
        raise SettingsError(f"{path}: want a mask in black and white, and much of this picture is neither.")
    return np.asarray(bright > most // 2)


def checked_mask(mask: Any) -> np.ndarray:
    """A mask as a bool array (H, W) of its own; a SettingsError if it is none, or empty."""
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not ((array == 0) | (array == 1)).all():
        raise SettingsError(
            f"mask is an array {array.shape} of {array.dtype}: want (height, width) of bool, or of 0 and 1."
        )
    if not array.any():
        raise SettingsError("the mask is empty: want True somewhere.")
    return np.array(array, bool)


def check_maps(shape: tuple[int, ...], blob: str) -> None:
    """Refuse a blob that has no maps for a mask to lie on."""
    if len(shape) != 3:
        raise SettingsError(
            f"a mask says where in a map, and blob {blob!r} is {shape}: want a blob of (C, height, width) (blob=, "
            "--blob; `predicdiff blobs` lists them), or no mask."
        )


def places_of(mask: np.ndarray, shape: tuple[int, ...], blob: str, seen: tuple[int, ...], frame: Frame | None) -> Any:
    """The places of a blob's maps that lie under a mask, as indices into a map's places in their order.

    Parameters
    ----------
    mask : (H, W) bool array
        As large as the picture, of which the net's view is taken; as what the net sees; or as the blob's maps: the
        first of these that fits. It is brought from one to the next by the nearest pixel.
    shape : (C, h, w)
        The blob's.
    blob : str
    seen : (height, width)
        What the net sees.
    frame : Frame or None
        Where in the picture that lies.

    Raises
    ------
    SettingsError
        If the blob has no maps, the mask fits none of the three, or nothing of it is left.
    """
    check_maps(shape, blob)
    view = mask
    if frame is not None and mask.shape == frame.original:
        view = frame.nearest(mask)
    elif mask.shape not in (seen, shape[1:]):
        picture = "" if frame is None else f"the picture's {by(frame.original)}, "
        raise SettingsError(
            f"the mask is {by(mask.shape)} (height x width): want {picture}what the net sees, {by(seen)}, or the size "
            f"of the maps of {blob!r}, {by(shape[1:])}."
        )
    places = np.flatnonzero(enlarge(view, shape[1:]))
    if not len(places):
        raise SettingsError(
            f"the mask touches none of the {by(shape[1:])} places of {blob!r}, or lies where the net does not look: "
            "want a larger one."
        )
    return places


def masked(unit: Unit, places: np.ndarray | None, blob: str) -> Unit:
    """A channel averaged over some of its places; a SettingsError if the unit says a place of its own."""
    if places is None:
        return unit
    if len(unit) != 1:
        raise SettingsError(f"unit {list(unit)} of {blob!r} and the mask both say a place: want a channel, or a class.")
    return Masked(unit, places)


def recorded(mask: np.ndarray, places: np.ndarray) -> Json:
    """JSON-able: what tells a mask from others, and how many places of the map are under it."""
    digest = hashlib.sha1(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()
    return {"sha1": digest, "shape": list(mask.shape), "places": len(places)}
