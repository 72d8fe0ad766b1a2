"""Red-blue pictures of maps turned back into signed relevance, whoever drew them.

Three recipes are known, all with matplotlib's "seismic", whose green always equals the smaller of red and blue:

- *plain*: the colours alone;
- *hsv*: hue and saturation of the colours, these times an opacity, on a grey picture, as the paper's authors do
  (`hsv_overlay`); both are the same from half of the scale on;
- *blend*: this package's `overlays.overlay`, the more opaque the stronger the influence.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ImageError, SettingsError
from ..images import LUMA
from ..overlays import heat, overlay, tint

STYLES = ("auto", "plain", "overlay", "hsv", "blend")
#: The one colour map whose pictures can be read.
READ = "seismic"
#: From -1 to 1, as fine as 8-bit colours tell apart, 0 among them.
LEVELS = np.linspace(-1.0, 1.0, 1021)
#: Pixels over which colour is averaged: JPEG keeps one for each 2 x 2.
BLUR = 1.0
#: Distance (of RGB in 0..1) up to which a colour counts as one of the map's: more than JPEG makes of it.
NEAR = 0.12
#: |R - B| below which a pixel counts as grey; and below which it is only JPEG's noise, whose sign means nothing.
PALE, FAINT = 0.08, 0.02
#: How far green may be off, relative to R - B, over the whole picture. Photographs have 0.27 and more.
OFF = 0.2
#: Least and most R - B that a blend shows at its strongest.
BLEND = (0.4, 0.68)
#: The authors' overlay: how much of the colours' saturation it has, and how light black becomes.
OPACITY, LIFTED = 0.8, 0.5
#: Value (the largest of R, G, B) below which hue and saturation are mostly noise, and below which they are noise alone.
#: A blend has no pixels so dark.
DARK, BLACK = 0.25, 0.1


def relevance_of(picture: np.ndarray, *, style: str = "auto") -> np.ndarray:
    """Signed relevance from the colours of a map's picture, e.g. a panel cut out of the paper.

    Magnitudes are in units of the picture's scale. Those above a half come back roughly from a "blend", and as 0.5 from
    "hsv", which does not tell them apart.

    Parameters
    ----------
    picture : (H, W, 3) uint8 array
        RGB; the map alone, without axes or colour bar. A white margin counts as zero.
    style : {"auto", "plain", "overlay", "hsv", "blend"}
        How it was drawn; "overlay" is either of "hsv" and "blend". By default found out by `style_of`.

    Returns
    -------
    (H, W) float64 array in [-1, 1]
        Red positive, blue negative, 0 where neither is to be told from noise; NaN where the colour is none of a map's,
        or too dark to be one.

    Raises
    ------
    ImageError
        If it is no RGB picture, has neither red nor blue, or many other colours.
    SettingsError
        If the style is unknown.
    """
    style = style_of(picture, style=style)
    colours = _checked(picture)
    level = {"plain": _plain, "hsv": _hsv, "blend": _blend}[style](colours)
    level = np.where(np.abs(_soft(_signed(colours))) < FAINT, 0.0 * level, level)
    return np.where(np.abs(_excess(colours)) < NEAR, level, np.nan)


def style_of(picture: np.ndarray, *, style: str = "auto") -> str:
    """How a map's picture was drawn, "plain", "hsv" or "blend", where ``style`` leaves a choice.

    Errors as for `relevance_of`. An "hsv" overlay on white has the colours of "plain", and may be called so. A small,
    poor JPEG of a "blend" is now and then taken for "hsv", which costs some hundredths of correlation.
    """
    if style not in STYLES:
        raise SettingsError(f"style {style!r} is unknown: want one of {', '.join(STYLES)}.")
    colours = _checked(picture)
    return _style(colours, overlaid=style == "overlay") if style in ("auto", "overlay") else style


def clipped(relevance: np.ndarray, style: str) -> np.ndarray:
    """A map limited to what a picture of this style shows of it.

    Parameters
    ----------
    relevance : (H, W) float array
    style : {"plain", "hsv", "blend"}
        As `style_of` gives it.

    Returns
    -------
    (H, W) float64 array
        For "hsv" cut off at half of its largest magnitude, from where on hue and saturation of the colours stay the
        same; otherwise a copy. NaN stays.
    """
    relevance = np.array(relevance, np.float64)
    if style != "hsv":
        return relevance
    limit = np.abs(relevance[np.isfinite(relevance)]).max(initial=0.0) / 2.0
    return np.clip(relevance, -limit, limit)


def hsv_overlay(relevance: np.ndarray, picture: np.ndarray, *, scale: float | None = None) -> np.ndarray:
    """The map over the grey picture as the paper's authors draw it in their later code.

    Hue and saturation are those of the map's colours, the saturation times 0.8; the value is that of the grey picture,
    brought from 0..1 to 0.5..1. `relevance_of` gives the map back as `clipped` has it.

    Parameters
    ----------
    relevance : (H, W) float array
        Grey where it is zero or not finite.
    picture : (H, W, 3) uint8 array
    scale : float, optional
        Magnitude at the end of the colours; by default `symmetric_scale`.

    Returns
    -------
    (H, W, 3) uint8 array

    Raises
    ------
    ImageError
        If the two are no map and picture of one size.
    """
    tints = tint(relevance, scale=scale, colour_map=READ)[..., :3] / 255.0
    grey = luminance(picture)
    if grey.shape != tints.shape[:2]:
        raise ImageError(f"the map is {tints.shape[:2]}, the picture {grey.shape} (height, width): want the same.")
    # a colour divided by its value is 1 - saturation in its least channel: less opaque, it is nearer to white
    pure = tints / np.maximum(tints.max(axis=2, keepdims=True), np.finfo(float).tiny)
    value = (LIFTED + (1.0 - LIFTED) * grey)[..., None]
    return np.rint(255.0 * value * (1.0 - OPACITY * (1.0 - pure))).astype(np.uint8)


def luminance(picture: np.ndarray) -> np.ndarray:
    """How light a picture (h, w, 3) uint8 is, (h, w) float64 from 0 to 1: an overlay's grey may pass for its map."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ImageError(
            f"a picture is an RGB array (height, width, 3) of uint8, this one {picture.shape} of {picture.dtype}."
        )
    return picture @ LUMA / 255.0


def edges(picture: np.ndarray) -> np.ndarray:
    """How fast the luminance of a picture (h, w, 3) uint8 changes, by Sobel's filter, (h, w) float64."""
    from skimage.filters import sobel  # slow to import, and few need it

    return sobel(luminance(picture))


def _checked(picture: np.ndarray) -> np.ndarray:
    """The picture's colours in 0..1, if they are those of a map."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ImageError(
            f"a map's picture is an RGB array (height, width, 3) of uint8, this one {picture.shape} of {picture.dtype}."
        )
    colours = picture / 255.0
    if np.abs(_soft(_signed(colours))).max() < PALE:
        raise ImageError("the picture is grey: want one with a map's red and blue, not a mask or a sensitivity map.")
    chroma = np.abs(_signed(colours))
    coloured = chroma > PALE
    if np.abs(_excess(colours))[coloured].sum() > OFF * chroma[coloured].sum():
        raise ImageError("the picture has other colours than red and blue: want a map's panel with nothing else on it.")
    return colours


def _signed(colours: np.ndarray) -> np.ndarray:
    """R - B: how red or blue a pixel is."""
    return colours[..., 0] - colours[..., 2]


def _excess(colours: np.ndarray) -> np.ndarray:
    """How much more or less green there is than in the map's colours, which have as much as the lesser of R and B."""
    return colours[..., 1] - np.minimum(colours[..., 0], colours[..., 2])


def _soft(values: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # SciPy is slow to import, and only pictures of maps need these

    return gaussian_filter(values, BLUR)


def _style(colours: np.ndarray, *, overlaid: bool) -> str:
    chroma, value = np.abs(_soft(_signed(colours))), _soft(colours.max(axis=2))
    strong = chroma > PALE
    if not overlaid and _most(chroma) > BLEND[1] and np.mean(_nearest(colours)[0][strong] < NEAR) > 0.7:
        return "plain"
    if np.mean(value < DARK) > 0.03 or not BLEND[0] < _most(chroma) < BLEND[1]:
        return "hsv"
    # where the map is strong, hsv keeps to one saturation and blend to one chroma: the other has the sharper peak
    saturation = chroma / np.maximum(value, DARK)
    return "blend" if _peak(saturation, strong) > _peak(chroma, strong) else "hsv"


def _most(magnitudes: np.ndarray) -> float:
    """The largest magnitude, but for one in ten thousand."""
    last = magnitudes.size - max(1, magnitudes.size // 10_000)
    return float(np.partition(magnitudes, last, axis=None)[last])


def _peak(magnitudes: np.ndarray, where: np.ndarray) -> float:
    """How far the largest exceeds the common large ones."""
    return _most(magnitudes) / max(float(np.percentile(magnitudes[where], 95)), np.finfo(float).tiny)


def _plain(colours: np.ndarray) -> np.ndarray:
    """Level of the nearest colour; a grey is near none."""
    distance, nearest = _nearest(colours)
    limit = np.where(np.abs(_signed(colours)) > PALE, 2.0 * NEAR, NEAR)
    return np.where(distance < limit, LEVELS[nearest], np.nan)


def _nearest(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest of the map's colours, and which that is; each colour of the picture is looked up once."""
    from scipy.spatial import cKDTree

    eight = np.rint(colours.reshape(-1, 3) * 255.0).astype(np.int64)
    present, place = np.unique(eight @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
    each = np.stack([present >> 16, present >> 8 & 255, present & 255], axis=1) / 255.0
    distance, nearest = cKDTree(heat(LEVELS[None], scale=1.0, colour_map=READ)[0] / 255.0).query(each)
    shape = colours.shape[:2]
    return distance[place].reshape(shape), nearest[place].reshape(shape)


def _hsv(colours: np.ndarray) -> np.ndarray:
    """Saturation, in units of its largest, which all levels from a half on have.

    Around each pixel it is the slope of the line through zero that fits chroma = saturation x value best: so dark
    pixels, whose hue and saturation are noise, take their neighbours' colour; where all is dark nothing is known.
    """
    value = colours.max(axis=2)
    power = _soft(value**2)
    lit = power > BLACK**2
    if not lit.any():
        raise ImageError("the picture is too dark to have colours: want one as bright as it was drawn.")
    saturation = np.where(lit, _soft(_signed(colours) * value) / np.maximum(power, BLACK**2), 0.0)
    strong = np.abs(saturation[np.abs(saturation) > PALE])
    largest = float(np.percentile(strong, 99)) if strong.size else 1.0
    return np.where(lit, np.clip(0.5 * saturation / largest, -0.5, 0.5), np.nan)


def _blend(colours: np.ndarray) -> np.ndarray:
    """The mean level of all overlays, over any grey, that would give about this colour and lightness."""
    from scipy.ndimage import map_coordinates

    table = _blends()
    at = _seen(_soft(_signed(colours)), colours @ LUMA) * np.reshape(table.shape, (2, 1, 1)) - 0.5
    return map_coordinates(table, at, order=1, mode="nearest")


def _seen(signed: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Where in 0..1 on the two axes of `_blends`."""
    return np.stack([(signed + 1.0) / 2.0, light])


@lru_cache(maxsize=1)
def _blends() -> np.ndarray:
    """Mean level by R - B and lightness, (201, 101), from drawing every level over every grey."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    greys = np.arange(0, 256, 2, dtype=np.uint8)
    ground = np.repeat(np.repeat(greys[:, None, None], len(LEVELS), axis=1), 3, axis=2)
    levels = np.repeat(LEVELS[None], len(greys), axis=0)
    drawn = overlay(levels, ground, scale=1.0, colour_map=READ) / 255.0
    at = _seen(_signed(drawn), drawn @ LUMA).reshape(2, -1)
    axes: dict[str, Any] = {"bins": (201, 101), "range": ((0, 1), (0, 1))}
    # some blur, as the picture's colours are not exact
    count = gaussian_filter(np.histogram2d(at[0], at[1], **axes)[0], 1.0)
    total = gaussian_filter(np.histogram2d(at[0], at[1], weights=levels.ravel(), **axes)[0], 1.0)
    empty = count < 1e-3
    mean = total / np.where(empty, 1.0, count)
    return mean[tuple(distance_transform_edt(empty, return_distances=False, return_indices=True))]
