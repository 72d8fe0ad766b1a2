"""What Hugging Face's image processors do to a picture, in our words; and a picture on which that is tried."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Mapping, NamedTuple

import numpy as np

from ....errors import SettingsError
from ....images import FILTERS, View
from ...preprocessing import Preprocessing

#: Rows and columns of the picture, odd and of no proportions that a net takes.
TRIED = (287, 401)
#: How many of 255 levels values may be apart on average: processors resize by torch, whose numbers of 8 bits differ
#: from Pillow's by a level here and there. Pixels of noise in the wrong place are a hundred levels apart.
LEVELS = 1
#: What is to be done where a processor does something else.
WAY_OUT = "give the module itself and its preprocessing (load_net), or its mean and scale (--mean, --input-scale)"


class Read(NamedTuple):
    """Preprocessing, and the height and width of what comes out."""

    preprocessing: Preprocessing
    size: tuple[int, int]


def read(processor: Any, name: str) -> Read:
    """What a processor says of itself.

    Raises
    ------
    SettingsError
        If it says no size, or one that depends on the picture.
    """
    said = {key: value for key, value in processor.to_dict().items() if value is not None}
    resizes, crops = said.get("do_resize", False), said.get("do_center_crop", False)
    view, size = _view(said, type(processor).__name__) if resizes else (View("crop"), None)
    if crops:
        size = _sides(said.get("crop_size", {}))
    if size is None:
        raise SettingsError(
            f"{name}'s image processor ({type(processor).__name__}) says no size that all pictures get: {WAY_OUT}."
        )
    return Read(_values(said, view), size)


def hold(preprocessing: Preprocessing, processor: Any, size: tuple[int, int], name: str) -> None:
    """Refuse a processor that makes another input of a picture of noise than ``preprocessing``."""
    picture = np.random.default_rng(0).integers(0, 256, (*TRIED, 3), np.uint8)
    shape = (3, *size)
    theirs = np.asarray(processor(images=picture, return_tensors="np")["pixel_values"][0], np.float32)
    level = np.broadcast_to(preprocessing.scale, 3)[:, None, None] * preprocessing.raw_scale / 255.0
    same = False
    if theirs.shape == shape:
        with suppress(SettingsError):  # of a crop that is larger than what it is cut from
            ours = preprocessing.encode(preprocessing.pixels(picture, shape), shape)
            same = float((np.abs(ours - theirs) / level).mean()) <= LEVELS
    if not same:
        raise SettingsError(
            f"{name}'s image processor ({type(processor).__name__}) does to pictures what is not known here: {WAY_OUT}."
        )


def _view(said: Mapping[str, Any], kind: str) -> tuple[View, tuple[int, int] | None]:
    """How it resizes; and the size that comes out, where that is not left to a crop."""
    size = said.get("size", {})
    resampling = {number: name for name, number in FILTERS.items()}.get(int(said.get("resample", 2)))
    sides, shortest, part = _sides(size), size.get("shortest_edge"), said.get("crop_pct")
    if sides is not None:
        return View("warp", sides, resampling=resampling), sides
    if shortest is None or size.get("longest_edge") is not None:
        return View("crop"), None
    if kind.startswith("ConvNext"):  # it crops by itself, but for large inputs
        square = (shortest, shortest)
        if shortest >= 384:
            return View("warp", square, resampling=resampling), square
        return View("short", int(shortest / said["crop_pct"]), resampling=resampling), square
    if kind.startswith("Levit"):
        shortest = int(256 / 224 * shortest)
    elif part is not None:
        shortest = int(shortest / part)
    return View("short", shortest, resampling=resampling), None


def _sides(size: Mapping[str, Any]) -> tuple[int, int] | None:
    height, width = size.get("height"), size.get("width")
    return None if height is None or width is None else (int(height), int(width))


def _values(said: Mapping[str, Any], view: View) -> Preprocessing:
    """What becomes of values: rescaled, normalised, and the channels turned round."""
    white = 255.0 * said.get("rescale_factor", 1 / 255) if said.get("do_rescale", False) else 255.0
    mean, scale = np.zeros(3), np.ones(3)
    if said.get("do_normalize", False):
        mean, deviation = (np.broadcast_to(said[key], 3).astype(float) for key in ("image_mean", "image_std"))
        scale = 1 / deviation
        if said.get("include_top", False):  # EfficientNet's divides twice
            scale = scale / deviation
    if said.get("rescale_offset", False):  # and may take one away before
        mean = mean + 1
    flips = said.get("do_flip_channel_order", False)
    return Preprocessing(
        view, "bgr" if flips else "rgb", mean.tolist(), raw_scale=round(white, 12), scale=scale.tolist()
    )
