"""Univariate weight of evidence, which prediction difference analysis grew from: of tables, a feature at a time.

References
----------
M. Robnik-Sikonja, I. Kononenko, "Explaining classifications for individual instances", IEEE TKDE 20(5), 2008,
doi:10.1109/TKDE.2007.190734.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from ..errors import SettingsError
from ..evidence import laplace, log_odds
from ..units import real_number, whole_number

Predict = Callable[[np.ndarray], np.ndarray]


def univariate(
    predict_proba: Predict,
    x: np.ndarray,
    background: np.ndarray,
    *,
    nominal: Sequence[int] = (),
    bins: int = 20,
    instances: int | None = None,
) -> np.ndarray:
    """Weight of evidence of every feature of one instance, for every class.

    Each feature in turn is replaced by the values that it has in the background, weighted by how often it has them,
    whatever the other features are. A nominal feature takes its distinct values; a numeric one the medians of ``bins``
    groups of equally many instances, cut out of the sorted values, or its distinct values where there are no more.

    Parameters
    ----------
    predict_proba : callable
        (n, d) array -> (n, K) probabilities, as scikit-learn's classifiers have it.
    x : (d,) array
        The instance.
    background : (m, d) array
        Instances that show how features are distributed. Text and numbers together want ``dtype=object``.
    nominal : sequence of int
        Indices of nominal features.
    bins : int
    instances : int, optional
        N of Laplace's correction, the number of training instances; by default m.

    Returns
    -------
    (d, K) float64 array
        Bits; positive where the feature's value speaks for the class.

    Raises
    ------
    SettingsError
        If the shapes do not fit together, a numeric feature holds no finite numbers, or ``predict_proba`` gives
        something else than probabilities.

    Examples
    --------
    A classifier that looks at the first of two features alone:

    >>> def predict_proba(rows):
    ...     p = np.where(rows[:, 0] > 0, 0.8, 0.2)
    ...     return np.stack([1 - p, p], axis=1)
    >>> background = np.array([[-1.0, 0.0], [1.0, 5.0]])
    >>> univariate(predict_proba, background[1], background, instances=10**9).round(3) + 0.0
    array([[-2.,  2.],
           [ 0.,  0.]])
    """
    if not callable(predict_proba):
        raise SettingsError(
            f"predict_proba is a {type(predict_proba).__name__}: want a function of rows, such as model.predict_proba."
        )
    x, background = np.asarray(x), np.asarray(background)
    _check(x, background, nominal, bins)
    base = _probabilities(predict_proba, x[None])[0]
    n = len(background) if instances is None else real_number("instances", instances)
    scale: dict[str, Any] = {"instances": n, "classes": len(base)}
    evidence = np.empty((len(x), len(base)))
    for feature in range(len(x)):
        column = background[:, feature]
        values, weights = _distinct(column, feature) if feature in nominal else _numeric(column, feature, bins)
        changed = np.repeat(x[None], len(values), axis=0).astype(np.result_type(x, values))
        changed[:, feature] = values
        without = weights @ _probabilities(predict_proba, changed)
        evidence[feature] = log_odds(laplace(base, **scale)) - log_odds(laplace(without, **scale))
    return evidence


def _check(x: np.ndarray, background: np.ndarray, nominal: Sequence[int], bins: int) -> None:
    if x.ndim != 1 or background.ndim != 2 or background.shape[1:] != x.shape or len(background) == 0:
        raise SettingsError(
            f"x has the shape {x.shape}, the background {background.shape}: want (d,) and (m, d), m >= 1."
        )
    if not np.iterable(nominal):
        raise SettingsError(f"nominal = {nominal!r}: want a list of indices, such as [{nominal!r}].")
    wrong = [feature for feature in nominal if feature not in range(len(x))]
    if wrong:
        raise SettingsError(f"nominal feature {wrong[0]!r} is out of range: want indices 0 to {len(x) - 1}.")
    if whole_number("bins", bins) < 1:
        raise SettingsError(f"bins = {bins}: want at least 1.")


def _probabilities(predict_proba: Predict, rows: np.ndarray) -> np.ndarray:
    probabilities = np.asarray(predict_proba(rows), np.float64)
    shape = probabilities.shape
    if len(shape) != 2 or len(probabilities) != len(rows) or shape[1] < 2:
        raise SettingsError(f"predict_proba gave an array {shape} for {len(rows)} rows: want ({len(rows)}, K), K >= 2.")
    # a hair's breadth for float32; what is outside would make NaN of the log-odds
    low, high = probabilities.min(), probabilities.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise SettingsError(f"predict_proba gave values from {low:.4g} to {high:.4g}: want probabilities.")
    return np.clip(probabilities, 0.0, 1.0)


def _distinct(column: np.ndarray, feature: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values with the part of instances that has each."""
    try:
        values, counts = np.unique(column, return_counts=True)
    except TypeError:
        raise SettingsError(f"feature {feature} mixes text and numbers: want one kind in the background.") from None
    return values, counts / len(column)


def _numeric(column: np.ndarray, feature: int, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Medians of groups of equally many instances, with the part that each holds."""
    try:
        numbers = column.astype(np.float64) if column.dtype.kind in "fiubO" else np.array(np.nan)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        raise SettingsError(
            f"feature {feature} of the background holds something else than finite numbers: "
            "name it in `nominal`, or leave those instances out."
        )
    values, weights = _distinct(column, feature)
    if len(values) <= bins:
        return values, weights
    groups = np.array_split(np.sort(numbers), bins)
    return np.array([np.median(group) for group in groups]), np.array([len(group) / len(column) for group in groups])
