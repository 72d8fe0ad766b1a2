"""Correlations of what is known with noise: each quantity is measured twice, by independent draws."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

import numpy as np

#: Where two measurements of the same agree less than this, the noise cannot be taken out.
LEAST_RELIABILITY = 0.1

#: The same quantity (n,), measured by draws of both halves.
Halves = Sequence[np.ndarray]


class Alike(NamedTuple):
    """How alike two quantities are.

    Attributes
    ----------
    corrected : float
        Their correlation with the noise taken out, which chance may bring above 1; NaN where there is too much noise.
    measured : float
        Their correlation as it is.
    first, second : float
        The correlation of each one's halves.
    """

    corrected: float
    measured: float
    first: float
    second: float


def alike(first: Halves, second: Halves) -> Alike:
    """Correlation of two quantities, each known by two halves (n,) whose errors are independent.

    Only unlike halves of the two are multiplied, so that draws which both share do not count. What noise adds to their
    variances, it does not add to the covariance of their halves (Spearman's correction for attenuation).
    """
    a, b = (np.asarray(halves, np.float64) for halves in (first, second))
    across = (_covariance(a[0], b[1]) + _covariance(a[1], b[0])) / 2
    within = _covariance(*a) * _covariance(*b)
    reliabilities = (_correlation(*a), _correlation(*b))
    known = np.min(reliabilities) >= LEAST_RELIABILITY  # not where one is NaN
    measured = (_correlation(a[0], b[1]) + _correlation(a[1], b[0])) / 2
    return Alike(across / float(np.sqrt(within)) if known else np.nan, measured, *reliabilities)


def average(found: Iterable[Alike]) -> Alike:
    """Mean of those in which there is not too much noise; NaN of none."""
    known = [one for one in found if np.isfinite(one.corrected)]
    return Alike(*np.mean(known, axis=0).tolist()) if known else Alike(*[np.nan] * 4)


def _covariance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a - a.mean()) * (b - b.mean())))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    scale = float(a.std() * b.std())
    return _covariance(a, b) / scale if scale > 0 else np.nan
