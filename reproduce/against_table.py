"""How reliable maps are, and the tables of what that costs, for `reproduce.against`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Iterable, Sequence

import numpy as np

#: The reliability that is wanted.
GOAL = 0.99
#: Where there is no Captum.
ABSENT = "Captum's Occlusion and KernelSHAP are left out: Captum is not installed here (`pip install captum`)."


def reliability(map_: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """Correlation of a map with the true one, of which there are only independent estimates with noise of their own.

    With T for the truth, an estimate is A = T + a, where the noise a has the expectation 0 and is independent of
    the map and of the other estimates' noise. Then cov(map, A) has the expectation cov(map, T), and cov(A, B) of two
    estimates has var(T). So the mean over the estimates of cov(map, A), divided by the root of var(map) times the mean
    over all pairs of cov(A, B), tends to the correlation of the map with T, however large the noise. What a map
    expects may differ from T (a bias, a coarse grid), and counts against it. Noise can carry the figure above 1, and
    where the estimates have nothing in common but noise it is NaN.

    Parameters
    ----------
    map_ : (H, W) array
    others : at least two (H, W) arrays
        None of which may have a sample in common with the map or with another.
    """
    products, truth = _products(map_, others)
    return float(products[0, 1:].mean() / np.sqrt(products[0, 0] * truth)) if truth > 0 else float("nan")


def slope(map_: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """Slope of the regression of a map on the true one; parameters as for `reliability`."""
    products, truth = _products(map_, others)
    return float(products[0, 1:].mean() / truth)


def _products(map_: np.ndarray, others: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Covariances of the map, the first, and the estimates; and what they say of the truth's variance."""
    flat = np.stack([each.ravel() - each.mean(dtype=np.float64) for each in (map_, *others)])
    products = flat @ flat.T / flat.shape[1]
    return products, np.mean([products[i, j] for i, j in combinations(range(1, len(flat)), 2)])


def reliabilities(runs: np.ndarray) -> np.ndarray:
    """Of runs' maps (R, n, H, W) after each of n numbers of evaluations, (n, R): each by the other runs' last maps."""
    last = list(runs[:, -1])
    each = [[reliability(map_, last[:i] + last[i + 1 :]) for map_ in run] for i, run in enumerate(runs)]
    return np.array(each).T


@dataclass(frozen=True)
class Row:
    """A method at one setting.

    Attributes
    ----------
    method, setting : str
    evaluations : int
        Of a map of the whole image.
    multiply_adds : float
        An evaluation's; 0 where the net does not know.
    seconds : float
        Of a map of the whole image.
    square, whole : tuple of float
        Reliability in the square and in the whole image, of each run; without any where it was not measured.
    sampled : bool
        Whether more evaluations are more samples of the same, so that noise falls as their number grows.
    slope : float, optional
        Of the regression on the true map, in the square.
    """

    method: str
    setting: str
    evaluations: int
    multiply_adds: float
    seconds: float
    square: tuple[float, ...]
    whole: tuple[float, ...] = ()
    sampled: bool = False
    slope: float | None = None

    @property
    def reliability(self) -> float:
        """The mean over the runs, of the whole image where it was measured."""
        return float(np.mean(self.whole or self.square))


def needed(evaluations: int, reached: float, goal: float = GOAL) -> float:
    """Evaluations to the goal, where noise falls with their number: reliability squared is V / (V + noise / m).

    >>> round(needed(1000, 0.5**0.5, 0.8**0.5))
    4000
    """
    return evaluations * (1 / reached**2 - 1) / (1 / goal**2 - 1)


def report(rows: Sequence[Row], *, note: str = "") -> str:
    """As Markdown: a line for each method with what the goal takes, and a line for each setting."""
    methods = list(dict.fromkeys(row.method for row in rows))
    lines = [
        f"| method | evaluations to {GOAL} | seconds | measured |",
        "|---|---|---|---|",
        *(_summary([row for row in rows if row.method == method]) for method in methods),
        "",
        "| method | setting | evaluations | multiply-adds of each | seconds | reliability in the square | in all |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines + (["", note] if note else []))


def _summary(rows: Sequence[Row]) -> str:
    """Of the first setting that reaches the goal; of samples that do not, how many would."""
    ascending = sorted(rows, key=lambda row: row.evaluations)
    row = next((row for row in ascending if row.reliability >= GOAL), ascending[-1])
    if row.reliability >= GOAL:
        cells = [f"{row.evaluations:,}", _seconds(row.seconds)]
    elif row.sampled and row.reliability > 0:
        more = needed(row.evaluations, row.reliability)
        cells = [f"about {_rounded(each):,}" for each in (more, more / row.evaluations * row.seconds)]
    else:
        cells = [f"more than {row.evaluations:,}", f"more than {_seconds(row.seconds)}"]
    how = f"after {row.evaluations:,}" if row.sampled else f"with {row.setting}"
    return f"| {row.method} | {' | '.join(cells)} | {_spread([row.reliability])} {how} |"


def _line(row: Row) -> str:
    work = f"{row.multiply_adds / 1e9:.3f} G" if row.multiply_adds else ""
    cells = [row.method, row.setting, f"{row.evaluations:,}", work, _seconds(row.seconds)]
    return f"| {' | '.join([*cells, _spread(row.square), _spread(row.whole)])} |"


def _spread(values: Iterable[float]) -> str:
    each = list(values)
    if not np.isfinite(each).all():
        return "lost in noise"
    if len(each) < 2:
        return f"{each[0]:.3f}" if each else ""
    return f"{np.mean(each):.3f} ({min(each):.3f} to {max(each):.3f})"


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _rounded(value: float) -> int:
    """To two figures, as is fit for what was not measured."""
    return int(float(f"{value:.1e}"))
