"""Red-blue pictures of maps turned back into signed relevance, whoever drew them.

Four recipes are known, all with matplotlib's "seismic", whose green always equals the smaller of red and blue. The
figures are those of the paper's version of 2017.

- *plain*: the colours alone, as in figures 4 and 6;
- *hsv*: hue and saturation of the colours, these times an opacity, on a grey picture, as in figure 7 and the authors'
  later code (`hsv_overlay`); both are the same from half of the scale on;
- *multiply*: the colours times a grey picture, as in figures 1, 3 and 8; from half of the scale on they darken, which
  tells levels apart only where the picture below is known;
- *blend*: this package's `overlays.overlay`, the more opaque the stronger the influence.
"""

from __future__ import annotations

import numpy as np

from .. import budget
from ..errors import ImageError, SettingsError
from ..images import LUMA
from ..overlays import tint
from ..palettes import find_colour_map
from .colours import DARK, FAINT, NEAR, PALE, READ, areas, distance, excess, saturation_of, signed, soft
from .decoding import blend, hsv, multiply, plain
from .registration import Placement

STYLES = ("auto", "plain", "overlay", "hsv", "multiply", "blend")
#: Those that show no values above a half, where the picture below is not known.
LIMITED = ("hsv", "multiply")
#: How far green may be off, relative to R - B, over the whole picture. Photographs have 0.27 and more.
OFF = 0.2
#: Least and most R - B that a blend shows at its strongest.
BLEND = (0.4, 0.68)
#: A grey has less saturation and value than these, in an area of at least 3 x 3 pixels; and the part of greys from
#: which on a picture lies below the map. JPEG makes none of them in a plain map; the saxophone of figure 3 has 0.004.
GREY, GREYS = (0.2, 0.83), 0.002
#: Part of a plain map's strong colours that JPEG leaves near the map's own.
OWN = 0.5
#: Saturation that an overlay in HSV does not reach, and the value that a blend does not where it is so saturated.
FULL, BRIGHT = 0.9, 0.68
#: The authors' overlay: how much of the colours' saturation it has, and how light black becomes.
OPACITY, LIFTED = 0.8, 0.5
#: Bytes that are made of a pixel at most while a map is read off it.
MADE = 130
#: How light black becomes below colours that are multiplied with the picture.
GROUND = 0.6


def relevance_of(picture: np.ndarray, *, style: str = "auto", ground: np.ndarray | None = None) -> np.ndarray:
    """Signed relevance from the colours of a map's picture, e.g. a panel cut out of the paper.

    Magnitudes are in units of the picture's scale. Those above a half come back roughly from a "blend", and as 0.5 from
    "hsv", which does not tell them apart, and from "multiply" without its ground.

    Parameters
    ----------
    picture : (H, W, 3) uint8 array
        RGB; the map alone, without axes or colour bar. A white margin counts as zero.
    style : {"auto", "plain", "overlay", "hsv", "multiply", "blend"}
        How it was drawn; "overlay" is any but "plain". By default found out by `style_of`.
    ground : (h, w, 3) uint8 array, optional
        The picture below the map, of any size; "multiply" alone makes use of it.

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
    if style == "multiply":
        level = multiply(colours, None if ground is None else _fitted(luminance(ground), colours.shape[:2]))
    else:
        level = {"plain": plain, "hsv": hsv, "blend": blend}[style](colours)
    level = np.where(np.abs(soft(signed(colours))) < FAINT, 0.0 * level, level)
    return np.where(areas(np.abs(excess(colours)) >= NEAR), np.nan, level)


def style_of(picture: np.ndarray, *, style: str = "auto") -> str:
    """How a map's picture was drawn, "plain", "hsv", "multiply" or "blend", where ``style`` leaves a choice.

    Errors as for `relevance_of`. An overlay on white has the colours of "plain", and may be called so. A small, poor
    JPEG of a "blend" is now and then taken for "hsv", which costs some hundredths of correlation; so may be one of
    "multiply" with but a small spot of colour, which costs nothing.
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
    style : {"plain", "hsv", "multiply", "blend"}
        As `style_of` gives it.

    Returns
    -------
    (H, W) float64 array
        For "hsv" and "multiply" cut off at half of its largest magnitude, from where on hue and saturation of the
        colours stay the same; otherwise a copy. NaN stays. What `relevance_of` reads of "multiply" with its ground is
        not limited.
    """
    relevance = np.array(relevance, np.float64)
    if style not in LIMITED:
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
    tints, grey = _over(relevance, picture, scale)
    # a colour divided by its value is 1 - saturation in its least channel: less opaque, it is nearer to white
    pure = tints / np.maximum(tints.max(axis=2, keepdims=True), np.finfo(float).tiny)
    value = LIFTED + (1.0 - LIFTED) * grey
    return np.rint(255.0 * value * (1.0 - OPACITY * (1.0 - pure))).astype(np.uint8)


def multiply_overlay(relevance: np.ndarray, picture: np.ndarray, *, scale: float | None = None) -> np.ndarray:
    """The map's colours times the grey picture, brought from 0..1 to 0.6..1, as figures 1, 3 and 8 of the paper are.

    Parameters, result and errors are those of `hsv_overlay`.
    """
    tints, grey = _over(relevance, picture, scale)
    return np.rint(255.0 * tints * (GROUND + (1.0 - GROUND) * grey)).astype(np.uint8)


def luminance(picture: np.ndarray) -> np.ndarray:
    """How light a picture (h, w, 3) uint8 is, (h, w) float64 from 0 to 1: an overlay's grey may pass for its map."""
    return _colours(picture, "a picture") @ LUMA


def edges(picture: np.ndarray) -> np.ndarray:
    """How fast the luminance of a picture (h, w, 3) uint8 changes, by Sobel's filter, (h, w) float64."""
    from skimage.filters import sobel  # slow to import, and few need it

    return sobel(luminance(picture))


def _over(relevance: np.ndarray, picture: np.ndarray, scale: float | None) -> tuple[np.ndarray, np.ndarray]:
    """A map's colours (H, W, 3) and the luminance (H, W, 1) of the picture below it, both 0..1."""
    tints = tint(relevance, scale=scale, cmap=READ)[..., :3] / 255.0
    grey = luminance(picture)
    if grey.shape != tints.shape[:2]:
        raise ImageError(f"the map is {tints.shape[:2]}, the picture {grey.shape} (height, width): want the same.")
    return tints, grey[..., None]


def _colours(picture: np.ndarray, name: str) -> np.ndarray:
    """The colours of an RGB picture in 0..1; ``name`` is what the error calls it."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ImageError(
            f"{name} is an RGB array (height, width, 3) of uint8, this one {picture.shape} of {picture.dtype}."
        )
    return np.asarray(picture / 255.0)


def _checked(picture: np.ndarray) -> np.ndarray:
    """The picture's colours in 0..1, if they are those of a map."""
    budget.ask(MADE * np.size(picture) / 3, "what is read off a map's picture", ImageError)
    colours = _colours(picture, "a map's picture")
    if np.abs(soft(signed(colours))).max() < PALE:
        raise ImageError(f"the picture is grey: want one with a map's {_words()}, not a mask or a sensitivity map.")
    chroma = np.abs(signed(colours))
    coloured = chroma > PALE
    if np.abs(excess(colours))[coloured].sum() > OFF * chroma[coloured].sum():
        raise ImageError(
            f"the picture has other colours than {_words()}: want a map's panel with nothing else on it, drawn in the "
            f"colours of {READ}."
        )
    return colours


def _words() -> str:
    """What the colours are called that can be read."""
    colours = find_colour_map(READ)
    return f"{colours.positive} and {colours.negative}"


def _fitted(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return Placement.stretched(values.shape, shape).take(values, shape)


def _style(colours: np.ndarray, *, overlaid: bool) -> str:
    chroma, value = np.abs(soft(signed(colours))), colours.max(axis=2)
    strong = chroma > PALE
    if not overlaid and not _on_grey(colours) and np.mean(distance(colours)[strong] < NEAR) > OWN:
        return "plain"
    if np.mean(soft(value) < DARK) > 0.03:
        return "hsv"
    saturation = np.abs(saturation_of(colours)[0])
    most = _most(saturation)
    if most > FULL:
        return "multiply" if np.percentile(value[saturation > FULL], 95) > BRIGHT else "blend"
    if not BLEND[0] < _most(chroma) < BLEND[1]:
        return "hsv"
    # where the map is strong, hsv keeps to one saturation and blend to one chroma: the other has the sharper peak; and
    # in hsv many pixels have the largest saturation
    peaks = _peak(chroma / np.maximum(soft(value), DARK), strong) / _peak(chroma, strong)
    return "blend" if peaks > 0.95 + np.mean(saturation[saturation > 0.4 * most] > 0.8 * most) else "hsv"


def _on_grey(colours: np.ndarray) -> bool:
    value = colours.max(axis=2)
    grey = (value - colours.min(axis=2) < GREY[0] * value) & (value < GREY[1])
    return bool(np.mean(areas(grey)) > GREYS)


def _most(magnitudes: np.ndarray) -> float:
    """The largest magnitude, but for one in ten thousand."""
    last = magnitudes.size - max(1, magnitudes.size // 10_000)
    return float(np.partition(magnitudes, last, axis=None)[last])


def _peak(magnitudes: np.ndarray, where: np.ndarray) -> float:
    """How far the largest exceeds the common large ones."""
    return _most(magnitudes) / max(float(np.percentile(magnitudes[where], 95)), np.finfo(float).tiny)
