"""Standard errors are borne out by 50 seeds, whatever the sampler and the measure.

Over R runs that differ in their seed alone, a pixel's relevance has the variance s^2, and v is the mean of its squared
standard errors. If these are right, (R - 1) s^2 / v is distributed as chi-square with R - 1 degrees of freedom, less
v's own error, which is that of a variance of R (S - 1). Both go into one number of degrees, nu, for W pixels that share
no window: 1 / nu = (1 / (R - 1) + 1 / (R (S - 1))) / W. Values that are sums over a window are near enough to normal,
and those of uniform numbers vary less. nu s^2 / v leaves the bounds in one honest case of ten million; a standard error
that is off by 30 % makes the ratio 0.6 or 2.0, where the bounds are 0.73 and 1.31.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.contract_samplers import SHAPE, HeldSampler, makers
from helpers.oracle_nets import LinearNet, NormalSampler
from scipy import stats

from predicdiff.algorithm import explain

RUNS, SAMPLES, WINDOW = 50, 6, 3
#: Of an honest case that fails.
CHANCE = 1e-7
MAKERS = makers()


def borne_out(held: HeldSampler, **asked: Any) -> None:
    """Hold the spread over seeds against the standard errors, at pixels that share no window."""
    shape = held.ground.shape
    # brightness alone is looked at, so that the same random numbers for all windows would add up; the net is undecided
    weights = np.stack([np.zeros(shape), np.full(shape, 1e-3), np.full(shape, -1e-3)])
    net = LinearNet(weights, -np.einsum("kchw,chw->k", weights, held.ground))
    how = {"window": WINDOW, "stride": 2, "between": "none", "samples": SAMPLES, "batch_size": 999}
    seeds = range(RUNS if held.draws else 2)
    results = [explain(net, held.ground, held.sampler, seed=seed, **how, **asked) for seed in seeds]
    apart = (slice(None), slice(1, None, WINDOW), slice(1, None, WINDOW))
    relevance, stderr = (np.stack([one[apart] for one in maps]) for maps in (
        [result.relevance for result in results], [result.stderr for result in results],
    ))  # fmt: skip
    if not held.draws:
        assert not stderr.any()
        assert (relevance == relevance[0]).all()
        return
    ratio = float(np.mean(relevance.var(axis=0, ddof=1) / (stderr**2).mean(axis=0)))
    pixels = relevance[0].size
    degrees = pixels / (1 / (RUNS - 1) + 1 / (RUNS * (SAMPLES - 1)))
    low, high = stats.chi2.ppf([CHANCE / 2, 1 - CHANCE / 2], degrees) / degrees
    assert low < ratio < high, f"the runs vary {ratio:.2f} times as much as they say: want {low:.2f} to {high:.2f}"


@pytest.mark.parametrize("name", list(MAKERS))
def test_of_each_sampler(name: str) -> None:
    borne_out(MAKERS[name](), blob="scores", units=[1])


@pytest.mark.parametrize(
    "asked",
    [
        {"units": [1]},
        {"units": [1], "against": 2},
        {"units": [1], "measure": "activation"},
        {"blob": "scores", "units": [1], "against": 2},
    ],
    ids=str,
)
def test_of_each_measure(asked: dict[str, Any]) -> None:
    borne_out(HeldSampler(NormalSampler(), np.full(SHAPE, 128, np.float32)), **asked)
