"""How far a prediction falls when a window is taken away, and how sure that figure is.

References
----------
L. M. Zintgraf, T. S. Cohen, M. Welling, "A New Method to Visualize Deep Neural Networks", 2016, equations (2) to (5).
M. Robnik-Sikonja, I. Kononenko, "Explaining classifications for individual instances", IEEE TKDE 20(5), 2008,
doi:10.1109/TKDE.2007.190734.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import SettingsError


class Difference(NamedTuple):
    """Differences of windows with the variances of their estimates; both shaped (n, T)."""

    value: np.ndarray
    variance: np.ndarray


def laplace(probability: np.ndarray, *, instances: int, classes: int) -> np.ndarray:
    """Laplace's correction ``(p N + 1) / (N + K)``, which keeps odds finite.

    Parameters
    ----------
    probability : float array of any shape
    instances : int
        N, the number of training instances.
    classes : int
        K, the number of classes, 2 for a sigmoid.

    Examples
    --------
    >>> float(laplace(1.0, instances=98, classes=2))
    0.99
    """
    if instances < 1 or classes < 2:
        raise SettingsError(f"Laplace's correction wants N >= 1 and K >= 2, not N = {instances} and K = {classes}.")
    return (np.asarray(probability, np.float64) * instances + 1.0) / (instances + classes)


def log_odds(probability: np.ndarray) -> np.ndarray:
    """``log2(p / (1 - p))``, in bits.

    >>> float(log_odds(0.5))
    0.0
    """
    probability = np.asarray(probability, np.float64)
    return np.log2(probability) - np.log2(1.0 - probability)


def kept(probability: np.ndarray, *, instances: int, classes: int) -> np.ndarray:
    """What Laplace's correction leaves of small changes of the log-odds, from 1, all, to 0, nothing.

    Half is left at a probability of about ``1 - K / N`` and of about ``1 / N``; parameters as for `laplace`.
    """
    probability = np.asarray(probability, np.float64)
    corrected = laplace(probability, instances=instances, classes=classes)
    slope = instances / (instances + classes)
    return slope * probability * (1 - probability) / (corrected * (1 - corrected))


def weight_of_evidence(
    base: np.ndarray, draws: np.ndarray, *, instances: int, classes: int, sampled: float = 0.0
) -> Difference:
    """Fall of the log-odds when a window is unknown: positive where the window speaks for the class.

    The mean of the probabilities goes into the log-odds, not the mean of the log-odds: p(c | x without w) is a mean.

    Parameters
    ----------
    base : (T,) float array
        p(c | x).
    draws : (n, S, T) float array
        p(c | x with draw s in window n).
    instances, classes : int
        N and K of Laplace's correction.
    sampled : float
        Part of the population that the draws are, 0 where it is infinite, 1 where they are all of it.

    Returns
    -------
    Difference
        Bits, and bits squared by the delta method; the variance is NaN for a single draw out of more.
    """
    draws = np.asarray(draws, np.float64)
    mean = laplace(draws.mean(axis=1), instances=instances, classes=classes)
    value = log_odds(laplace(base, instances=instances, classes=classes)) - log_odds(mean)
    slope = instances / (instances + classes) / (np.log(2) * mean * (1 - mean))
    return Difference(value, _variance(draws * slope[:, None], sampled))


def evidence_against(
    base: np.ndarray,
    base_other: np.ndarray,
    draws: np.ndarray,
    draws_other: np.ndarray,
    *,
    instances: int,
    classes: int,
    sampled: float = 0.0,
) -> Difference:
    """Fall of ``log2(p(c) / p(d))``, one class c against another d, when a window is unknown.

    Shapes as in `weight_of_evidence`, with ``base_other`` (1,) and ``draws_other`` (n, S, 1) for d.
    """
    draws, draws_other = np.asarray(draws, np.float64), np.asarray(draws_other, np.float64)
    scale = {"instances": instances, "classes": classes}
    mean, mean_other = laplace(draws.mean(axis=1), **scale), laplace(draws_other.mean(axis=1), **scale)
    value = np.log2(laplace(base, **scale) / laplace(base_other, **scale)) - np.log2(mean / mean_other)
    influence = draws / mean[:, None] - draws_other / mean_other[:, None]
    slope = instances / (instances + classes) / np.log(2)
    return Difference(value, _variance(influence * slope, sampled))


def activation_difference(base: np.ndarray, draws: np.ndarray, *, sampled: float = 0.0) -> Difference:
    """Fall of a unit's activation, equations (6) and (7); shapes as in `weight_of_evidence`, units the blob's own."""
    draws = np.asarray(draws, np.float64)
    return Difference(base - draws.mean(axis=1), _variance(draws, sampled))


def _variance(draws: np.ndarray, sampled: float) -> np.ndarray:
    """Variance of the mean over axis 1 of draws without repetition from a population of which they are a part."""
    count = draws.shape[1]
    if sampled >= 1.0:
        return np.zeros((draws.shape[0], draws.shape[2]))
    if count < 2:
        return np.full((draws.shape[0], draws.shape[2]), np.nan)
    return draws.var(axis=1, ddof=1) / count * (1.0 - sampled)
