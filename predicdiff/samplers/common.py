"""What every sampler asks of its input, and the fingerprint that says which data it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from ..errors import SamplerError, SettingsError, WindowError
from ..image_files import is_pil
from ..images import load_image
from ..scratch import blocks, in_file
from ..units import real_number, whole_number
from ..windows import Sides, SidesLike, check_inside, sides, told
from .streams import check_seed

Clip = Optional[Tuple[float, float]]
#: Of a Gaussian's mean, and the square root of that of its covariance: what is drawn around it must be float32.
MOST_DRAWN = 1e30


def check_request(
    pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray, Sides]:
    """The arguments of ``draw``: pixels (C, H, W) float32, origins (n, 2) int, and the window's sides.

    Raises
    ------
    SamplerError
        If the pixels have another number of axes, or are not finite.
    WindowError
        If a window is not inside the image.
    SettingsError
        If less than one sample is asked for, or the seed is out of range.
    """
    check_seed(seed)
    if whole_number("samples S", samples) < 1:
        raise SettingsError(f"samples S = {samples}: want at least 1.")
    lengths = sides(window)
    if min(lengths) < 1:
        raise WindowError(f"window k = {told(window)}: want at least 1.")
    try:
        pixels = np.asarray(pixels, np.float32)
    except (TypeError, ValueError):
        raise SamplerError(f"pixels are a {type(pixels).__name__}: want an array (channels, height, width).") from None
    if pixels.ndim != 3:
        raise SamplerError(f"pixels have the shape {pixels.shape}: want (channels, height, width).")
    if not np.isfinite(pixels).all():
        raise SamplerError("pixels hold values that are not finite (NaN or infinity): want an image without them.")
    origins = np.asarray(origins)
    if origins.size and (origins.dtype.kind not in "iu" or origins.ndim != 2 or origins.shape[1] != 2):
        raise WindowError(
            f"origins are {origins.dtype} {origins.shape}: want whole numbers, a (row, column) per window."
        )
    origins = origins.reshape(-1, 2).astype(np.int64)
    check_inside(origins, pixels.shape[1:], lengths)
    return pixels, origins, lengths


def check_finite(values: np.ndarray, what: str) -> None:
    """Refuse NaN and infinity; ``what`` names the values in the error."""
    if not np.isfinite(values).all():
        raise SamplerError(f"{what} hold values that are not finite (NaN or infinity): leave those out.")


def as_corpus(images: Any) -> Any:
    """Images as `numeric` takes them: a list of what a list, tuple or iterator gives, with PIL images as (3, H, W)."""
    if not isinstance(images, (list, tuple, Iterator)):
        return images
    return [np.moveaxis(load_image(image), 2, 0) if is_pil(image) else image for image in images]


def as_names(names: Any) -> list[str] | None:
    """Names of images as a list of texts, or None; a SamplerError if they are no sequence of them."""
    if names is None:
        return None
    if isinstance(names, (str, bytes)) or not np.iterable(names):
        raise SamplerError(f"names = {names!r}: want a list of them, one for each image.")
    return [str(name) for name in names]


def numeric(values: Any, what: str, dtype: type) -> np.ndarray:
    """A copy as a contiguous array of ``dtype``; SamplerError if it cannot be one (ragged, no numbers).

    What is too large for ``dtype`` becomes infinity. A stack in a file, which nobody can change, is not copied.
    """
    if in_file(values) and values.dtype == dtype and values.flags.c_contiguous:
        return np.asarray(values)
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype, order="C")
    except (TypeError, ValueError):
        raise SamplerError(f"{what} are no array of numbers, all of one shape: give them as one.") from None


def fingerprint(arrays: Sequence[np.ndarray]) -> str:
    """SHA-1 of arrays' types, shapes and bytes."""
    digest = hashlib.sha1()
    for values in arrays:
        whole, little = np.ascontiguousarray(values), values.dtype.newbyteorder("<")
        digest.update(f"{little.str}{whole.shape}".encode())
        for block in blocks(whole):
            digest.update(block.astype(little, copy=False).data)
    return digest.hexdigest()


def check_gaussian(mean: np.ndarray, covariance: np.ndarray) -> None:
    """Refuse a mean and a covariance (B, D, D) that do not belong together, are not finite, huge or not symmetric."""
    fits = mean.ndim == covariance.ndim == 3 and 0 not in mean.shape
    if fits:
        colours, area = len(mean), mean[0].size
        fits = covariance.shape in {(1, colours * area, colours * area), (colours, area, area)}
    if not fits:
        raise SamplerError(
            f"the mean has the shape {mean.shape}, the covariance {covariance.shape}: want (C, l, l) with "
            "(C l l, C l l) or (C, l l, l l)."
        )
    check_finite(mean, "the mean's values")
    check_finite(covariance, "the covariance's values")
    for values, what, most in ((mean, "mean", MOST_DRAWN), (covariance, "covariance", MOST_DRAWN**2)):
        if np.abs(values).max() > most:
            raise SamplerError(f"the {what}'s values reach {np.abs(values).max():.3g}: want at most {most:g}.")
    gap = np.abs(covariance - covariance.transpose(0, 2, 1)).max()
    if gap > 1e-8 * np.abs(covariance).max():
        raise SamplerError(
            f"the covariance is not symmetric, by as much as {gap:.3g}: want the same below the diagonal."
        )


def check_clip(clip: Clip) -> Clip:
    """Bounds as floats, the lower one first, or None; what no float32 reaches is infinity."""
    if clip is None:
        return None
    try:
        low, high = (float(bound) for bound in clip)
    except (TypeError, ValueError):
        raise SettingsError(f"clip = {clip!r}: want two numbers (low, high), or None.") from None
    if not low < high:
        raise SettingsError(f"clip = {clip!r}: want low < high, or None.")
    with np.errstate(over="ignore"):
        low, high = (bound if np.isfinite(np.float32(bound)) else float(np.float32(bound)) for bound in (low, high))
    return (low, high)


def check_jitter(jitter: float) -> float:
    """A number that is not negative, nor huge."""
    if not 0 <= real_number("jitter", jitter) <= MOST_DRAWN**2:
        raise SettingsError(f"jitter = {jitter!r}: want a number >= 0, or None to have the smallest found.")
    return float(jitter)
