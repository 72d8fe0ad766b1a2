"""Maps as colours, alone or over the greyed image. Arrays in, arrays out; no drawing library.

A map is a (H, W) float array, positive where a pixel speaks for the class. Colours are (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, Sequence, Union

import numpy as np

from .errors import ImageError, SettingsError
from .images import LUMA
from .palettes import DEFAULT, eight, find_colour_map
from .tones import Tones, tones_of
from .validation import LARGEST

#: The greyed image's black and white: lifted, so that dark colours stand out against it.
GREYS = (0.3, 1.0)
#: A map with no larger value is one of zeros: no axis can be drawn for it.
NOTHING = 1e-100
#: What stands for "not known" in a map without an image under it.
MISSING = 0.85
#: Which magnitude gets the full colour: each map's own, that of all maps, or a number.
Scale = Union[str, float]
OWN, SHARED = "own", "shared"


#: Maps of a picture, lest it grow too large to be drawn, whatever their titles; of more the first are drawn.
MOST_DRAWN = 64


def picture(pixels: np.ndarray, *, tones: Tones | None = None) -> np.ndarray:
    """Pixels or an image as colours to show.

    Parameters
    ----------
    pixels : (C, H, W) float array, or (H, W, 3) uint8 array, which is returned as it is
        Three channels are RGB, one is grey, of any other number the mean is shown. NaN becomes black.
    tones : Tones, optional
        Which values are black and white, such as `Explanation.tones`; with `tones.PIXELS` a dark photograph stays dark.
        By default the pixels' own values say so, see `tones.tones_of`: what looks like 0 to 1 or like 0 to 255 is drawn
        as such, all else from its least to its largest value.

    Returns
    -------
    (H, W, 3) uint8 array

    Examples
    --------
    >>> picture(np.zeros((3, 4, 5))).shape, picture(np.zeros((1, 4, 5))).dtype.name
    ((4, 5, 3), 'uint8')
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ImageError(f"pixels have the shape (channels, height, width), these {pixels.shape}.")
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return pixels.copy()
    tones = tones or tones_of(pixels)
    values = pixels.astype(np.float64)
    if len(values) != 3:
        values = values.mean(axis=0, keepdims=True)
    return np.ascontiguousarray(np.broadcast_to(_bytes(values, tones), (3, *values.shape[1:])).transpose(1, 2, 0))


def _bytes(values: np.ndarray, tones: Tones) -> np.ndarray:
    values = (values - tones.black) * (255.0 / max(tones.white - tones.black, np.finfo(float).tiny))
    return np.clip(np.rint(np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)), 0, 255).astype(np.uint8)


def symmetric_scale(relevance: np.ndarray, *, percentile: float = 100.0) -> float:
    """The magnitude that gets the full colour: the largest in the map, or in all maps of a stack.

    Parameters
    ----------
    relevance : float array of any shape; what is not finite is left out
    percentile : float
        Below 100 a few outliers are cut off. Maps of relevance have none, each pixel being a mean over windows;
        gradients do.

    Returns
    -------
    float
        1.0 where nothing differs from zero, so that such a map can be drawn.

    Examples
    --------
    >>> symmetric_scale(np.array([[0.5, -2.0], [np.nan, 1.0]]))
    2.0
    """
    if not 0.0 < percentile <= 100.0:
        raise SettingsError(f"percentile {percentile}: want more than 0 and at most 100.")
    values = np.abs(np.asarray(relevance, np.float64))
    values = values[np.isfinite(values)]
    if values.max(initial=0.0) < NOTHING:
        return 1.0
    # in a map that is zero nearly everywhere the percentile is, too: then its largest value serves
    scale = np.percentile(values, percentile)
    return float(scale if scale >= NOTHING else values.max())


def scales_of(maps: Sequence[np.ndarray], scale: Scale = OWN) -> list[float]:
    """The magnitude that gets the full colour, for each of several maps.

    Parameters
    ----------
    maps : sequence of float arrays
    scale : {"own", "shared"} or float
        Each map's `symmetric_scale`, the largest of these, or this number.
    """
    if not is_scale(scale):
        raise SettingsError(f"scale = {scale!r}: want {OWN!r}, {SHARED!r}, or a number above 0 for the full colour.")
    if scale == OWN:
        return [symmetric_scale(one) for one in maps]
    if scale == SHARED:
        largest = [np.abs(one[np.isfinite(one)]).max(initial=0.0) for one in maps]
        return [symmetric_scale(np.array(largest))] * len(maps)
    return [float(scale)] * len(maps)


def is_scale(scale: Any) -> bool:
    """Whether something is a `Scale`."""
    if isinstance(scale, str):
        return scale in (OWN, SHARED)
    return isinstance(scale, Real) and not isinstance(scale, bool) and NOTHING <= float(scale) < LARGEST


def beyond(relevance: np.ndarray, scale: float) -> tuple[bool, bool]:
    """Whether finite values lie below and above a scale, and are cut off by it."""
    values = relevance[np.isfinite(relevance)]
    return bool(values.min(initial=0.0) < -scale), bool(values.max(initial=0.0) > scale)


def top_mask(relevance: np.ndarray, *, part: float = 0.05) -> np.ndarray:
    """The pixels with the largest magnitudes, as in the paper's figure 3.

    Exactly ``part`` of all pixels, to the nearest whole number and at least one; of pixels that tie for the last places
    those that come first by rows, then by columns.

    Parameters
    ----------
    relevance : (H, W) float array
    part : float
        More than 0, at most 1.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    ImageError
        If it is no map, or has fewer finite pixels than asked for.
    SettingsError
        If ``part`` is out of its range.
    """
    relevance = _as_map(relevance)
    if not 0.0 < part <= 1.0:
        raise SettingsError(f"part = {part}: want a part of the pixels, more than 0 and at most 1.")
    count = max(1, round(part * relevance.size))
    magnitudes = np.where(np.isfinite(relevance), np.abs(relevance), -1.0).ravel()
    if (magnitudes >= 0.0).sum() < count:
        raise ImageError(f"the map has {(magnitudes >= 0.0).sum()} pixels that are finite: want at least {count}.")
    mask = np.zeros(relevance.size, bool)
    mask[np.argsort(-magnitudes, kind="stable")[:count]] = True
    return mask.reshape(relevance.shape)


def heat(relevance: np.ndarray, *, scale: float | None = None, cmap: str = DEFAULT) -> np.ndarray:
    """The map alone: colours for and against, and between them that of zero; light grey what is not known.

    Parameters
    ----------
    relevance : (H, W) float array
    scale : float, optional
        Magnitude of the full colour; by default `symmetric_scale`.
    cmap : str
        A name of `COLOUR_MAPS`.

    Examples
    --------
    >>> heat(np.array([[-1.0, 0.0, 1.0]])).tolist()[0][1]
    [255, 255, 255]
    """
    level = _levels(relevance, scale)
    colours = np.where(np.isfinite(level)[..., None], find_colour_map(cmap).at(np.nan_to_num(level)), MISSING)
    return eight(colours)


def saliency(sensitivity: np.ndarray, *, scale: float | None = None) -> np.ndarray:
    """Magnitudes, such as a gradient's, from black to white.

    Parameters
    ----------
    sensitivity : (H, W) float array
        Of signed values the magnitude is shown.
    scale : float, optional
        Magnitude of white; by default the 99.5th percentile, since single pixels of a gradient stand out.

    Examples
    --------
    >>> saliency(np.array([[0.0, -3.0]]), scale=3.0)[..., 0].tolist()
    [[0, 255]]
    """
    level = np.nan_to_num(np.abs(_levels(sensitivity, scale, percentile=99.5)))
    return eight(np.repeat(level[..., None], 3, axis=2))


def tint(
    relevance: np.ndarray, *, scale: float | None = None, hide: np.ndarray | None = None, cmap: str = DEFAULT
) -> np.ndarray:
    """The map as a glass pane: the more coloured the stronger the influence, clear where there is none.

    Parameters
    ----------
    relevance : (H, W) float array
    scale : float, optional
        Magnitude of the full, opaque colour; by default `symmetric_scale`.
    hide : (H, W) bool array, optional
        Where to leave the pane clear all the same.
    cmap : str
        A name of `COLOUR_MAPS`.

    Returns
    -------
    (H, W, 4) uint8 array
        RGB and opacity, not multiplied into them.

    Examples
    --------
    >>> tint(np.array([[0.0, 2.0]]))[..., 3].tolist()[0][0]
    0
    """
    level = _levels(relevance, scale)
    if hide is not None:
        if np.shape(hide) != level.shape:
            raise ImageError(f"what to hide has the shape {np.shape(hide)}, the map {level.shape}: want the same.")
        level = np.where(hide, 0.0, level)
    return eight(find_colour_map(cmap).pane(np.nan_to_num(level)))


def overlay(
    relevance: np.ndarray,
    ground: np.ndarray,
    *,
    scale: float | None = None,
    hide: np.ndarray | None = None,
    cmap: str = DEFAULT,
) -> np.ndarray:
    """The map over the greyed image.

    Parameters
    ----------
    relevance : (H, W) float array
        Clear where it is zero or not finite.
    ground : (C, H, W) pixels or (H, W, 3) uint8 image
        Pixels are drawn by their own values. To draw them by a net's, give what `picture` makes of them and its tones.
    scale, hide, cmap
        As for `tint`.

    Returns
    -------
    (H, W, 3) uint8 array

    Examples
    --------
    >>> ground = np.full((2, 2, 3), 200, np.uint8)
    >>> bool((overlay(np.zeros((2, 2)), ground) == greyed(ground)).all())
    True
    """
    pane = tint(relevance, scale=scale, hide=hide, cmap=cmap) / 255.0
    below = greyed(ground)
    if below.shape[:2] != pane.shape[:2]:
        raise ImageError(
            f"the map is {pane.shape[:2]}, the image under it {below.shape[:2]} (height, width): want the same."
        )
    opacity = pane[..., 3:]
    return eight(pane[..., :3] * opacity + below / 255.0 * (1.0 - opacity))


def greyed(ground: np.ndarray) -> np.ndarray:
    """The image (C, H, W) or (H, W, 3) without its colours and with its blacks lifted, (H, W, 3) uint8.

    Examples
    --------
    >>> colours = greyed(np.full((2, 2, 3), (200, 0, 0), np.uint8))
    >>> len(set(colours[0, 0].tolist()))
    1
    """
    luma = picture(ground) @ LUMA / 255.0
    dark, light = GREYS
    return eight(np.repeat((dark + (light - dark) * luma)[..., None], 3, axis=2))


def _levels(relevance: np.ndarray, scale: float | None, percentile: float = 100.0) -> np.ndarray:
    """The map in units of its scale, cut off at -1 and 1; NaN where it is not finite."""
    relevance = _as_map(relevance)
    if scale is None:
        scale = symmetric_scale(relevance, percentile=percentile)
    if not (np.isfinite(scale) and scale > 0.0):
        raise SettingsError(f"scale {scale}: want a finite number above zero.")
    with np.errstate(over="ignore"):  # which is far beyond the scale
        level = np.clip(relevance / scale, -1.0, 1.0)
    return np.where(np.isfinite(relevance), level, np.nan)


def _as_map(relevance: np.ndarray) -> np.ndarray:
    relevance = np.asarray(relevance, np.float64)
    if relevance.ndim != 2 or relevance.size == 0:
        raise ImageError(f"a map has the shape (height, width), this one {relevance.shape}.")
    return relevance
