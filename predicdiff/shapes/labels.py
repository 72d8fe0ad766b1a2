"""Segments of a picture, as whole numbers: given, read from a file, or made by SLIC.

References
----------
R. Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE TPAMI 34(11), 2012,
doi:10.1109/TPAMI.2012.120.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Union

import numpy as np
from PIL import Image, ImageOps

from ..errors import SettingsError
from ..images import Frame, enlarge
from ..overlays import picture
from ..tones import Tones

#: What stands for SLIC's segments, and how many it is asked for unless a number follows.
SLIC, USUAL = "slic", 100
#: The number of what is in no segment.
NONE = -1
#: Segments as asked for: an array (H, W), "slic" or "slic:50".
SegmentsLike = Union[np.ndarray, str]


def check_segments(segments: Any) -> SegmentsLike | None:
    """Segments as asked for; a SettingsError if they are none."""
    if segments is None:
        return None
    if isinstance(segments, str):
        slic_count(segments)
        return segments
    labels = np.asarray(segments)
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "iub":
        raise SettingsError(
            f"segments are {labels.dtype} {labels.shape}: want whole numbers (height, width), those of a segment "
            f"alike and {NONE} where there is none, or {SLIC!r}."
        )
    if labels.dtype.kind == "u" and labels.max() > np.iinfo(np.int64).max:
        raise SettingsError(f"segments hold {labels.max()}: want numbers below 2**63.")
    return labels.astype(np.int64)


def slic_count(text: str) -> int:
    """How many segments SLIC is asked for; a SettingsError if it is not.

    >>> slic_count("slic"), slic_count("slic:50")
    (100, 50)
    """
    match = re.match(rf"{SLIC}(?::(\d+))?$", text)
    if match is None or match.group(1) == "0":
        raise SettingsError(f"segments = {text!r}: want {SLIC!r}, or {SLIC}:50 for about 50 of them.")
    return int(match.group(1) or USUAL)


def read_segments(path: Path) -> np.ndarray:
    """Segments (H, W) of a file: a NumPy file's numbers, or what has one colour in a picture.

    What is transparent in a picture is in no segment. Colours are numbered in the order of their values, greys are
    their own numbers.
    """
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        with Image.open(path) as opened:
            if opened.format == "JPEG":
                raise ValueError("a JPEG blurs colours into each other")
            return _of_colours(ImageOps.exif_transpose(opened) or opened)
    except (OSError, ValueError, SyntaxError) as error:
        wanted = "want a picture in which each segment has its colour, or a .npy file of whole numbers"
        raise SettingsError(f"{path}: no segments can be read ({error}): {wanted}.") from None


def _of_colours(image: Image.Image) -> np.ndarray:
    if image.mode in ("L", "P", "1", "I", "I;16") and "transparency" not in image.info:
        return np.asarray(image).astype(np.int64)
    colours = np.asarray(image.convert("RGBA")).astype(np.int64)
    numbers = (colours[..., 0] * 256 + colours[..., 1]) * 256 + colours[..., 2]
    _, labels = np.unique(numbers, return_inverse=True)
    return np.where(colours[..., 3] == 0, NONE, labels.reshape(numbers.shape))


def find_labels(
    asked: SegmentsLike, *, pixels: np.ndarray, tones: Tones, frame: Frame | None, ground: tuple[int, ...]
) -> np.ndarray:
    """Numbers of segments on what windows lie on, (height, width) int64.

    Parameters
    ----------
    asked : (H, W) array or str
        An array is of the picture as it was given; each place takes the number of the nearest pixel.
    pixels : (C, H, W) array
        What the net sees, of which SLIC makes segments, drawn with ``tones``.
    frame : Frame or None
        Where in the picture the pixels lie; None where they are the picture.
    ground : (height, width)

    Raises
    ------
    SettingsError
        If the array has another size than the picture.
    """
    if isinstance(asked, str):
        return enlarge(_slic(picture(pixels, tones=tones), slic_count(asked)), ground)
    size = tuple(pixels.shape[1:]) if frame is None else frame.original
    if asked.shape != size:
        raise SettingsError(
            f"segments are {asked.shape[0]} x {asked.shape[1]} (height, width), the picture is {size[0]} x {size[1]}: "
            "want the same."
        )
    return enlarge(asked if frame is None else _seen(asked, frame), ground)


def _slic(colours: np.ndarray, count: int) -> np.ndarray:
    from skimage.segmentation import slic  # slow to import, and only this needs it

    return np.asarray(slic(colours, n_segments=count, start_label=0)).astype(np.int64)


def _seen(labels: np.ndarray, frame: Frame) -> np.ndarray:
    """What is seen of them: at each pixel the number of the picture's pixel in which its middle lies."""
    rows, columns = (
        np.minimum((np.arange(size) + corner + 0.5) * original / resized, original - 1).astype(int)
        for size, corner, original, resized in zip(frame.size, frame.corner, frame.original, frame.resized)
    )
    return labels[rows[:, None], columns]
