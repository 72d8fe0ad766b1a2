"""How sure a mean over images is.

References
----------
B. Efron, R. J. Tibshirani, "An introduction to the bootstrap", 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

import numpy as np

from ..errors import SettingsError

RESAMPLES = 10_000
#: Draws that are made at a time.
AT_A_TIME = 2**21


def interval(
    values: np.ndarray, *, seed: int = 0, level: float = 0.95, resamples: int = RESAMPLES
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval of a mean over the last axis; its values are drawn with repetition.

    The same seed gives the same draws, whatever the values: intervals of several rows belong to the same resamples.

    Parameters
    ----------
    values : (..., n) float array
    seed : int
    level : float
        Part of the resampled means that lies inside.
    resamples : int

    Returns
    -------
    low, high : (...) float64 arrays
        NaN for a single value, of which nothing can be said.
    """
    values = np.asarray(values, np.float64)
    if values.ndim < 1 or values.shape[-1] < 1 or not 0 < level < 1 or resamples < 1:
        raise SettingsError(
            f"values have the shape {values.shape}, level is {level}, resamples {resamples}: "
            "want at least one value, 0 < level < 1, resamples >= 1."
        )
    count = values.shape[-1]
    if count == 1:
        unknown = np.full(values.shape[:-1], np.nan)
        return unknown, unknown.copy()
    rng, rows, step = np.random.default_rng(seed), values.reshape(-1, count), max(1, AT_A_TIME // count)
    # a part after the other, with the draws of all at once: they may be more than memory holds
    means = [_means(rows, rng.random((min(step, resamples - done), count))) for done in range(0, resamples, step)]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low.reshape(values.shape[:-1]), high.reshape(values.shape[:-1])


def _means(rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Means (resamples, rows) of values that are drawn by numbers (resamples, count) from 0 to 1."""
    count = rows.shape[1]
    weights = np.zeros(drawn.shape)
    np.add.at(weights, (np.arange(len(drawn))[:, None], (drawn * count).astype(int)), 1 / count)
    return weights @ rows.T
