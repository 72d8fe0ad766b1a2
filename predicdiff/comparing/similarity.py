"""How alike two maps are, in four figures."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from ..errors import ImageError, SettingsError
from ..units import real_number

#: A map whose values differ by less, relative to the largest, is the same everywhere but for rounding.
ROUNDING = 1e-12


class Similarity(NamedTuple):
    """What `similarity` finds; NaN where a figure has no meaning."""

    pearson: float
    spearman: float
    sign_agreement: float
    top_overlap: float
    pixels: int


def similarity(a: np.ndarray, b: np.ndarray, *, top: float = 0.05) -> Similarity:
    """Compare two maps pixel by pixel; none of the figures depends on either map's scale.

    Parameters
    ----------
    a, b : (H, W) float arrays
        Pixels where either is not finite are left out.
    top : float
        Part of the pixels that count as the most relevant ones.

    Returns
    -------
    Similarity
        ``pearson``, ``spearman`` : correlation of the values and of their ranks, tied values sharing their mean rank.

        ``sign_agreement`` : of the pixels that are zero in neither map, the part with the same sign in both; all count
        alike.

        ``top_overlap`` : |A and B| / n, A and B being the n pixels with the largest magnitudes in each map, and n
        ``top`` times the pixels, rounded, at least 1. Pixels that tie for the last places share them evenly, each
        belonging to a part; A and B have the smaller part in common.

        ``pixels`` : how many were compared.

        Maps that are the same everywhere have no correlations and no overlap, maps of zeros no signs: NaN.

    Raises
    ------
    ImageError
        If the shapes differ or are not (H, W).
    SettingsError
        If ``top`` is not more than 0 and at most 1.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise ImageError(f"the maps have the shapes {a.shape} and {b.shape}: want the same (height, width).")
    if not 0.0 < real_number("top", top) <= 1.0:
        raise SettingsError(f"top = {top}: want a part of the pixels, more than 0 and at most 1.")
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    return Similarity(pearson(a, b), _spearman(a, b), _sign_agreement(a, b), _top_overlap(a, b, top), len(a))


def partial_pearson(a: np.ndarray, b: np.ndarray, covariates: Sequence[np.ndarray]) -> float:
    """Correlation of what covariates leave of two maps, each of which is fitted by them and a constant.

    Parameters
    ----------
    a, b : (H, W) float arrays
    covariates : sequence of (H, W) float arrays
        Pixels where any of the maps is not finite are left out.

    Returns
    -------
    float
        Pearson's correlation of the residuals of least squares; NaN where the covariates explain a map but for
        rounding.

    Raises
    ------
    ImageError
        If the shapes differ or are not (H, W).
    """
    maps = [np.asarray(one, np.float64) for one in (a, b, *covariates)]
    if maps[0].ndim != 2 or any(one.shape != maps[0].shape for one in maps):
        shapes = ", ".join(str(one.shape) for one in maps)
        raise ImageError(f"the maps and covariates have the shapes {shapes}: want the same (height, width).")
    known = np.all(np.isfinite(maps), axis=0)
    pixels = [_standard(one[known]) for one in maps]
    design = np.stack([*pixels[2:], np.ones(int(known.sum()))], axis=1)
    rest = [one - design @ np.linalg.lstsq(design, one, rcond=None)[0] for one in pixels[:2]]
    norms = [float(np.linalg.norm(one)) for one in rest]
    # the pixels have norm 1 before
    return float(np.clip(rest[0] @ rest[1] / (norms[0] * norms[1]), -1.0, 1.0)) if min(norms) > 1e-9 else np.nan


def varies(values: np.ndarray) -> bool:
    """Whether finite numbers differ by more than rounding."""
    if values.size < 2:
        return False
    low, high = float(values.min()), float(values.max())
    # halves, as the difference of two large numbers may be too large for one
    return high / 2 - low / 2 > ROUNDING * max(-low, high)


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two (n,) arrays of finite numbers; NaN if either is the same everywhere."""
    if not (varies(a) and varies(b)):
        return np.nan
    return float(np.clip(_standard(a) @ _standard(b), -1.0, 1.0))


def _standard(values: np.ndarray) -> np.ndarray:
    """Deviations from the mean, with norm 1; zeros where all is the same.

    Magnitudes are brought near 1 first, lest squares vanish or overflow.
    """
    if not varies(values):
        return np.zeros(values.shape)
    centred = values / np.abs(values).max()
    centred = centred - centred.mean()
    return centred / np.linalg.norm(centred)


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b)[0]) if varies(a) and varies(b) else np.nan


def _sign_agreement(a: np.ndarray, b: np.ndarray) -> float:
    signed = (a != 0) & (b != 0)
    return float(np.mean((a > 0)[signed] == (b > 0)[signed])) if signed.any() else np.nan


def _top_overlap(a: np.ndarray, b: np.ndarray, top: float) -> float:
    a, b = np.abs(a), np.abs(b)
    if not (varies(a) and varies(b)):
        return np.nan
    count = max(1, round(top * len(a)))
    return float(np.minimum(_membership(a, count), _membership(b, count)).sum() / count)


def _membership(magnitudes: np.ndarray, count: int) -> np.ndarray:
    """How far each pixel belongs to the ``count`` largest, 0 to 1; the sum is ``count``."""
    last = np.partition(magnitudes, len(magnitudes) - count)[len(magnitudes) - count]
    above, tied = magnitudes > last, magnitudes == last
    return above + tied * ((count - above.sum()) / tied.sum())
