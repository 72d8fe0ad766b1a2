"""Levels from -1 to 1 from the colours (H, W, 3) of a map's picture in 0..1, one function for each recipe."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..images import LUMA
from ..overlays import overlay
from ..palettes import find_colour_map
from .colours import BLACK, LEVELS, NEAR, PALE, READ, areas, distance, saturation_of, signed, soft

#: Pixels over which saturation is averaged, of which more would cost a small picture its detail; those over which the
#: sign of a colour is, and the R - B from which on that is certain.
FINE, SIGN_BLUR, CERTAIN = 0.5, 0.7, 0.05
#: Saturation from which on a colour's darkness begins to count in "multiply".
PURE = 0.85


def plain(colours: np.ndarray) -> np.ndarray:
    """Level of the colour of the same lightness and sign; a grey is near none.

    JPEG keeps lightness for each pixel and colour for every 2 x 2, so colour gives the sign alone.
    """
    light = colours @ LUMA
    positive = np.clip(0.5 + soft(signed(colours), SIGN_BLUR) / (2.0 * CERTAIN), 0.0, 1.0)
    levels = np.linspace(0.0, 1.0, 511)
    red, blue = (find_colour_map(READ).at(sign * levels) @ LUMA for sign in (1.0, -1.0))
    # from dark to light, as numpy.interp wants it
    level = positive * np.interp(light, red[::-1], levels[::-1])
    level -= (1.0 - positive) * np.interp(light, blue[::-1], levels[::-1])
    limit = np.where(np.abs(signed(colours)) > PALE, 2.0 * NEAR, NEAR)
    return np.where(areas(distance(colours) >= limit), np.nan, level)


def hsv(colours: np.ndarray) -> np.ndarray:
    """Saturation, in units of its largest, which all levels from a half on have."""
    saturation, lit = saturation_of(colours, FINE)
    strong = np.abs(saturation[np.abs(saturation) > PALE])
    largest = float(np.percentile(strong, 99)) if strong.size else 1.0
    return np.where(lit, np.clip(0.5 * saturation / largest, -0.5, 0.5), np.nan)


def multiply(colours: np.ndarray, ground: np.ndarray | None) -> np.ndarray:
    """Half of the saturation, and where that is full, how much darker the colour is than the ground.

    ``ground`` (H, W) is the luminance of the picture below, from which that of the overlay's grey is a straight line;
    without it nothing above a half is known.
    """
    saturation, lit = saturation_of(colours, FINE)
    level = np.clip(0.5 * saturation, -0.5, 0.5)
    if ground is not None:
        value = colours.max(axis=2)
        # up to a half the map's own colours have the value 1, and the overlay that of its grey
        pale = np.abs(saturation) < PURE
        terms = np.stack([ground, np.ones(ground.shape)], axis=-1)
        grey = terms @ np.linalg.lstsq(terms[pale], value[pale], rcond=None)[0]
        ends = [float(find_colour_map(READ).at(np.array(sign)).max()) for sign in (1.0, -1.0)]
        darker = (1.0 - soft(value) / np.maximum(soft(grey), BLACK)) / (1.0 - np.where(saturation > 0.0, *ends))
        certain = np.clip((np.abs(saturation) - PURE) / (1.0 - PURE), 0.0, 1.0)
        level = level + 0.5 * np.sign(level) * np.clip(darker, 0.0, 1.0) * certain
    return np.where(lit, level, np.nan)


def blend(colours: np.ndarray) -> np.ndarray:
    """The mean level of all overlays, over any grey, that would give about this colour and lightness."""
    from scipy.ndimage import map_coordinates

    table = _blends()
    at = _seen(soft(signed(colours)), colours @ LUMA) * np.reshape(table.shape, (2, 1, 1)) - 0.5
    return map_coordinates(table, at, order=1, mode="nearest")


def _seen(chroma: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Where in 0..1 on the two axes of `_blends`."""
    return np.stack([(chroma + 1.0) / 2.0, light])


@lru_cache(maxsize=1)
def _blends() -> np.ndarray:
    """Mean level by R - B and lightness, (201, 101), from drawing every level over every grey."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    greys = np.arange(0, 256, 2, dtype=np.uint8)
    ground = np.repeat(np.repeat(greys[:, None, None], len(LEVELS), axis=1), 3, axis=2)
    levels = np.repeat(LEVELS[None], len(greys), axis=0)
    drawn = overlay(levels, ground, scale=1.0, cmap=READ) / 255.0
    at = _seen(signed(drawn), drawn @ LUMA).reshape(2, -1)
    axes: dict[str, Any] = {"bins": (201, 101), "range": ((0, 1), (0, 1))}
    # some blur, as the picture's colours are not exact
    count = gaussian_filter(np.histogram2d(at[0], at[1], **axes)[0], 1.0)
    total = gaussian_filter(np.histogram2d(at[0], at[1], weights=levels.ravel(), **axes)[0], 1.0)
    empty = count < 1e-3
    mean = total / np.where(empty, 1.0, count)
    return mean[tuple(distance_transform_edt(empty, return_distances=False, return_indices=True))]
