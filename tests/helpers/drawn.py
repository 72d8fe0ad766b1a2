"""Maps, and pictures of them as others draw them: matplotlib's colours, scikit-image's HSV, Pillow's JPEG."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import cm
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import color, data

from predicdiff.overlays import overlay


def smooth_map(seed: int, shape: tuple[int, int] = (96, 104), sigma: float = 5.0) -> np.ndarray:
    """A random map as smooth as one of windows about twice ``sigma`` wide, its largest magnitude 1."""
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return values / np.abs(values).max()


def photo(shape: tuple[int, int], name: str = "chelsea") -> np.ndarray:
    """One of scikit-image's photographs, squeezed to ``shape``, (H, W, 3) uint8."""
    return resized(np.ascontiguousarray(getattr(data, name)()[..., :3]), shape)


def resized(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.array(Image.fromarray(picture).resize(shape[::-1], Image.BICUBIC))


def plain(relevance: np.ndarray) -> np.ndarray:
    scale = np.abs(relevance).max()
    return np.rint(cm.seismic((relevance / scale + 1) / 2)[..., :3] * 255).astype(np.uint8)


def hsv(relevance: np.ndarray, ground: np.ndarray, *, opacity: float = 0.8, lift: float = 0.5) -> np.ndarray:
    """Hue and saturation of the map, value of the grey picture, which is lifted to ``1 - lift`` .. 1."""
    grey = 1 - (1 - color.rgb2gray(ground)) * lift
    tints = color.rgb2hsv(plain(relevance))
    return np.rint(color.hsv2rgb(np.dstack([tints[..., 0], tints[..., 1] * opacity, grey])) * 255).astype(np.uint8)


def blend(relevance: np.ndarray, ground: np.ndarray) -> np.ndarray:
    return overlay(relevance, ground)


def draw(style: str, relevance: np.ndarray, ground: str = "chelsea") -> np.ndarray:
    """The map over a photograph, or "plain" without one."""
    if style == "plain":
        return plain(relevance)
    return {"hsv": hsv, "blend": blend}[style](relevance, photo(relevance.shape, ground))


def jpeg(picture: np.ndarray, quality: int, **how: Any) -> np.ndarray:
    """There and back."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, **how)
    return np.array(Image.open(file).convert("RGB"))


def larger(picture: np.ndarray, factor: float) -> np.ndarray:
    return resized(picture, (round(picture.shape[0] * factor), round(picture.shape[1] * factor)))


def margin(picture: np.ndarray, *sides: int) -> np.ndarray:
    """White above, below, left and right."""
    top, bottom, left, right = sides
    return np.pad(picture, ((top, bottom), (left, right), (0, 0)), constant_values=255)


def cut(picture: np.ndarray, *sides: int) -> np.ndarray:
    """Without some pixels above, below, left and right."""
    top, bottom, left, right = sides
    return picture[top : picture.shape[0] - bottom, left : picture.shape[1] - right]
