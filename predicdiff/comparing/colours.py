"""What the colours of a map's picture say: how red or blue, how saturated, how near to the map's own.

Colours are (H, W, 3) float arrays in 0..1.
"""

from __future__ import annotations

import numpy as np

from ..errors import ImageError
from ..overlays import heat

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
#: Value (the largest of R, G, B) below which hue and saturation are mostly noise, and below which they are noise alone.
#: A blend has no pixels so dark.
DARK, BLACK = 0.25, 0.1


def signed(colours: np.ndarray) -> np.ndarray:
    """R - B: how red or blue a pixel is."""
    return colours[..., 0] - colours[..., 2]


def excess(colours: np.ndarray) -> np.ndarray:
    """How much more or less green there is than in the map's colours, which have as much as the lesser of R and B."""
    return colours[..., 1] - np.minimum(colours[..., 0], colours[..., 2])


def soft(values: np.ndarray, blur: float = BLUR) -> np.ndarray:
    """An average over about ``blur`` pixels to each side."""
    from scipy.ndimage import gaussian_filter  # SciPy is slow to import, and only pictures of maps need these

    return gaussian_filter(values, blur)


def areas(where: np.ndarray) -> np.ndarray:
    """What of a mask is at least 3 x 3 pixels large: less is what JPEG makes of colours side by side."""
    from scipy.ndimage import binary_opening

    return binary_opening(where, np.ones((3, 3), bool))


def distance(colours: np.ndarray) -> np.ndarray:
    """How far each pixel is from the nearest of the map's colours; each colour of the picture is looked up once."""
    from scipy.spatial import cKDTree

    eight = np.rint(colours.reshape(-1, 3) * 255.0).astype(np.int64)
    present, place = np.unique(eight @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
    each = np.stack([present >> 16, present >> 8 & 255, present & 255], axis=1) / 255.0
    distances = cKDTree(heat(LEVELS[None], scale=1.0, cmap=READ)[0] / 255.0).query(each)[0]
    return distances[place].reshape(colours.shape[:2])


def saturation_of(colours: np.ndarray, blur: float = BLUR) -> tuple[np.ndarray, np.ndarray]:
    """Saturation, of blue below zero, and where there is light enough for one.

    Around each pixel it is the slope of the line through zero that fits chroma = saturation x value best: so dark
    pixels, whose hue and saturation are noise, take their neighbours' colour; where all is dark nothing is known.
    """
    value = colours.max(axis=2)
    power = soft(value**2, blur)
    lit = power > BLACK**2
    if not lit.any():
        raise ImageError("the picture is too dark to have colours: want one as bright as it was drawn.")
    return np.where(lit, soft(signed(colours) * value, blur) / np.maximum(power, BLACK**2), 0.0), lit
