"""Where draws are cut off: at two numbers, or at what a corpus holds at each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SamplerError, SettingsError
from ..noise import Limits
from ..scratch import let_go
from ..windows import Sides, cut
from .common import check_clip, check_finite, fingerprint, numeric
from .fitting import Images, as_pixels

#: ``clip`` of a fit that takes the range at each pixel from the corpus.
CORPUS = "corpus"


def check_limits(clip: Any, channels: int) -> Limits:
    """Bounds as two floats, as two float32 arrays (C, H, W) that nobody else holds, or None.

    Raises
    ------
    SettingsError
        If they are neither, or the lower one is not below the upper one (for arrays: is above it).
    SamplerError
        If arrays differ in shape, hold NaN or have another number of channels.
    """
    if isinstance(clip, str):
        raise SettingsError(f"clip = {clip!r}: want two numbers or arrays, or None; a fit takes {CORPUS!r}.")
    bounds = list(clip) if isinstance(clip, (tuple, list, np.ndarray)) else []
    if len(bounds) != 2 or not any(isinstance(bound, np.ndarray) and bound.ndim for bound in bounds):
        return check_clip(clip)
    low, high = (numeric(bound, "the bounds of clip", np.float32) for bound in bounds)
    if low.shape != high.shape or low.ndim != 3 or len(low) != channels:
        raise SamplerError(
            f"clip has the shapes {low.shape} and {high.shape}: want ({channels}, height, width) for both, or numbers."
        )
    check_finite(low, "the bounds of clip")
    check_finite(high, "the bounds of clip")
    if (low > high).any():
        raise SettingsError("clip: its lower bound lies above the upper one at some pixel: want low <= high.")
    for bound in (low, high):
        bound.flags.writeable = False
    return (low, high)


def per_pixel(clip: Limits) -> bool:
    """Whether these are arrays."""
    return clip is not None and np.ndim(clip[0]) > 0


def seen(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value (C, H, W) of images, all of one shape, at each pixel and colour.

    Raises
    ------
    SamplerError
        If they differ in shape: then a pixel of the one has none in the other.
    """
    pixels = [as_pixels(image) for image in images]
    shapes = sorted({image.shape for image in pixels})
    if len(shapes) != 1:
        shapes_told = " and ".join(map(str, shapes[:3])) or "no images"
        raise SamplerError(f"clip={CORPUS!r} was asked of {shapes_told}: want images of one shape, (m, C, H, W).")
    low, high = pixels[0].astype(np.float32), pixels[0].astype(np.float32)
    for image in pixels[1:]:
        low, high = np.minimum(low, image).astype(np.float32), np.maximum(high, image).astype(np.float32)
        let_go(image)
    return low, high


def limits_at(clip: Limits, origins: np.ndarray, window: Sides) -> Limits:
    """The bounds of windows' draws: of each pixel by itself (n, C, h, w), or two numbers for all."""
    if clip is None or not per_pixel(clip):
        return clip
    low, high = (cut(np.asarray(bound), origins, window=window) for bound in clip)
    return low, high


def recorded_limits(clip: Limits) -> Any:
    """For JSON: None, two numbers, or the SHA-1 of the arrays."""
    if clip is None:
        return None
    if per_pixel(clip):
        return "per pixel, sha1:" + fingerprint([np.asarray(bound) for bound in clip])
    return list(clip)
