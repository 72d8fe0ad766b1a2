"""Claim c: removing one pixel changes the prediction, and most where the net is sensitive."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from scipy.stats import spearmanr, t

from .finding import Finding
from .gradients import pixel_gradient, residuals
from .groups import ILSVRC, near
from .line import Size
from .maps import Windows
from .study import Subject

#: Draws of each half of single pixels, for effects on the score. Marginal ones serve claim d alone, in sums.
DRAWS = {"conditional": 2, "marginal": 1}
#: Side of the windows that single pixels are told beside.
WINDOW = 10
#: How many other units' gradients stand for any.
OTHERS = 5


def single_pixels(subject: Subject, side: int, kind: str = "conditional") -> Sequence[Windows]:
    """Both halves of every single pixel's effect on the score, in the square: what claims c, d and e share."""
    blob = subject.net.scores
    return subject.halves(kind, 1, draws=DRAWS[kind], side=side, stride=1, blob=blob, units=(subject.unit,))


def beyond(halves: np.ndarray, variances: np.ndarray, draws: int, level: float = 0.05) -> tuple[float, float]:
    """Share of effects that are beyond their error, and of nothing but noise.

    Parameters
    ----------
    halves, variances : (2, n) arrays
        Each effect as both halves have it, and the variances of these estimates.
    draws : int
        Of each half.
    level : float
        The share of normal noise that is beyond by chance.

    Returns
    -------
    float, float
        The second is that of the halves' differences, which have the same error and no effect.
    """
    farthest = t.ppf(1 - level / 2, 2 * (draws - 1)) * np.sqrt(variances.sum(axis=0))
    both, none = np.abs(halves.sum(axis=0)), np.abs(halves[0] - halves[1])
    return float(np.mean(both > farthest)), float(np.mean(none > farthest))


def ranked(effects: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of the magnitudes of two maps; NaN where one is the same everywhere."""
    magnitudes = [np.abs(values).ravel() for values in (effects, other)]
    if min(np.ptp(values) for values in magnitudes) == 0:
        return np.nan
    return float(spearmanr(*magnitudes)[0])


def other_units(subject: Subject, count: int) -> list[int]:
    """Some units at random, others for each photograph; of ILSVRC's none that is near the explained class."""
    order = np.random.default_rng(subject.own_seed).permutation(count)
    others = (int(one) for one in order if one != subject.unit)
    return [one for one in others if count != ILSVRC or not near(one, subject.unit)][:OTHERS]


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """Effects in bits and their errors at every fourth pixel; of every pixel, whether the gradient foretells them."""
    return {"c1": _changes(subject, size), "c2": _sensitive(subject, size)}


def _changes(subject: Subject, size: Size) -> Finding:
    grid = {"side": size.side, "stride": size.stride}
    halves = subject.halves("conditional", 1, draws=size.draws, **grid)
    values, variances = (np.stack([one[:, 0] for one in ones]) for ones in _parts(halves))
    larger = subject.windows("conditional", WINDOW, half=0, draws=size.draws, **grid).values
    share, chance = beyond(values, variances, size.draws)
    # one half of each, and so as many draws; half of the difference of two halves is noise alone
    effects = {
        "of k = 1": np.abs(values[0]),
        "of k = 10": np.abs(larger),
        "of half the difference of k = 1's halves": np.abs(values[0] - values[1]) / 2,
    }
    beside = {f"median {what}, bits": float(np.median(each)) for what, each in effects.items()}
    beside.update({f"99th percentile {what}, bits": float(np.percentile(each, 99)) for what, each in effects.items()})
    return Finding(share, {"pure noise": chance}, beside)


def _parts(halves: Sequence[Windows]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [half.values for half in halves], [half.variances for half in halves]


def _sensitive(subject: Subject, size: Size) -> Finding:
    halves = single_pixels(subject, size.side)
    effects = (halves[0].values + halves[1].values)[:, 0] / 2
    origins, net, blob = halves[0].origins, subject.net, subject.net.scores
    rows, columns = origins.T

    def gradient(unit: int) -> np.ndarray:
        return pixel_gradient(net, subject.pixels, blob, unit)[:, rows, columns].T

    own, residual = gradient(subject.unit), residuals(subject, origins)
    units = other_units(subject, net.blobs[blob][0])
    others = np.mean([ranked(effects, np.abs(gradient(unit)).max(axis=1)) for unit in units])
    beside = {
        "with gradient times residual": ranked(effects, (own * residual).sum(axis=1)),
        "with the residual": ranked(effects, np.linalg.norm(residual, axis=1)),
    }
    return Finding(ranked(effects, np.abs(own).max(axis=1)), {"gradients of other units": float(others)}, beside)
