"""Segments of a picture, as whole numbers: given, read from a file, or made by SLIC.

References
----------
R. Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE TPAMI 34(11), 2012,
doi:10.1109/TPAMI.2012.120.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Union

import numpy as np

from .. import budget
from ..errors import InputWarning, SettingsError, warn
from ..files import regular
from ..image_files import read_exact
from ..images import Frame, enlarge
from ..overlays import picture
from ..tones import Tones

#: What stands for SLIC's segments, and how many it is asked for unless a number follows.
SLIC, USUAL = "slic", 100
#: The number of what is in no segment.
NONE = -1
#: A file of more segments is told of: it may be a photograph by mistake.
MANY = 2000
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
    if (labels == NONE).all():
        raise SettingsError(f"segments are all {NONE}, which is no segment: want other numbers.")
    return labels.astype(np.int64)


def slic_count(text: str) -> int:
    """How many segments SLIC is asked for; a SettingsError if it is not.

    >>> slic_count("slic"), slic_count("slic:50")
    (100, 50)
    """
    match = re.fullmatch(rf"{SLIC}(?::([1-9][0-9]{{0,5}}))?", text)
    if match is None:
        raise SettingsError(f"segments = {text!r}: want {SLIC!r}, or {SLIC}:50 for about 50 of them.")
    return int(match.group(1) or USUAL)


def read_segments(path: Path) -> np.ndarray:
    """Segments (H, W) of a file: a NumPy file's numbers, or what has one colour in a picture.

    What is transparent in a picture is in no segment. Colours are numbered in the order of their values, greys are
    their own numbers. A picture in which values could have changed is refused.
    """
    regular(path, SettingsError)
    try:
        with warnings.catch_warnings():
            for kind in (UserWarning, RuntimeWarning):  # Pillow's: the pixels are there, or an error says why not
                warnings.simplefilter("ignore", kind)
            values, pages = _numbers(path)
        labels = np.asarray(check_segments(values))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    except Exception as error:  # Pillow raises many kinds for a damaged file
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise SettingsError(
            f"{path}: no segments can be read ({reason}): want a PNG, GIF, BMP or a TIFF without loss in which each "
            "segment has its colour, of 8 bits, or its grey, or a .npy file of whole numbers."
        ) from None
    if pages > 1:
        warn(f"{path}: it holds {pages} pictures, and number 1 was taken for the segments.", InputWarning)
    count = len(np.unique(labels))
    if count > MANY:
        warn(f"{path}: it has {count} segments, each taken away by itself. Is it a photograph?", InputWarning)
    return labels


def _numbers(path: Path) -> tuple[np.ndarray, int]:
    """What a file holds, numbered, and how many pictures."""
    if path.suffix.lower() == ".npy":
        # mapped first, by which the size that a file claims is held against its own
        mapped = np.lib.format.open_memmap(path, mode="r")
        budget.ask(3 * 8 * mapped.size, "what it holds")  # as whole numbers, and these in order
        return np.array(mapped), 1
    values, count = read_exact(path)
    return (values if values.ndim == 2 else _of_colours(values)), count


def _of_colours(colours: np.ndarray) -> np.ndarray:
    """Of colours (H, W, 4): numbers in the order of red, green, blue and opacity."""
    _, labels = np.unique(colours @ (256 ** np.arange(3, -1, -1)), return_inverse=True)
    return np.where(colours[..., 3] == 0, NONE, labels.reshape(colours.shape[:2]))


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
    return enlarge(asked if frame is None else frame.nearest(asked), ground)


def _slic(colours: np.ndarray, count: int) -> np.ndarray:
    from skimage.segmentation import slic  # slow to import, and only this needs it

    labels = np.asarray(slic(colours, n_segments=count, start_label=1)).astype(np.int64)
    return np.asarray(labels - labels.min())  # old versions begin with 0 nevertheless
