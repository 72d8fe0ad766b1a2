"""The standard error against what other seeds, more samples and a whole corpus show.

Every seed is fixed. A ratio of variances from R runs over W windows side by side is off by sqrt(2 / (R W)), 3 % for
200 runs over 12 windows, and by up to 6 % where draws are few. The bounds leave five times as much, so that a correct
program passes whatever the seed; what a mistake would give is said beside them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, NumpyNet, photo

from predicdiff.algorithm import explain
from predicdiff.explanation import Explanation
from predicdiff.samplers.marginal import MarginalSampler

SHAPE = (2, 9, 12)
RUNS = 200


def mild() -> MapNet:
    """A net whose log-odds are nearly linear in its draws, as far as the delta method can be right."""
    return MapNet(SHAPE, seed=1, gain=0.4)


def runs(
    net: NumpyNet, image: np.ndarray, sampler: Any, count: int = RUNS, **settings: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Relevance and standard error (runs, T, H, W) of runs that differ in their seed alone."""
    results = [explain(net, image, sampler, seed=seed, **settings) for seed in range(count)]
    return np.stack([one.relevance for one in results]), np.stack([one.stderr for one in results])


def overstated(relevance: np.ndarray, stderr: np.ndarray) -> float:
    """Mean reported variance over the variance that the runs show."""
    return float((stderr**2).mean() / relevance.var(axis=0, ddof=1).mean())


@pytest.mark.parametrize("samples", [2, 3, 20])
def test_a_scores_error_is_borne_out_by_other_seeds(samples: int) -> None:
    """Right in the mean, however few the draws; dividing by S instead of S - 1 would give 0.5, 0.67, 0.95."""
    net = mild()
    relevance, stderr = runs(
        net, photo(SHAPE, 2), NormalSampler(), window=3, stride=3, samples=samples, blob="scores", units=[0, 2]
    )
    assert overstated(relevance, stderr) == pytest.approx(1, abs=0.2)


def test_errors_against_a_reference_of_2000_samples() -> None:
    """Differences in units of their standard errors are nearly normal, with the tails of 19 degrees of freedom."""
    net, image = mild(), photo(SHAPE, 2)
    settings: dict[str, Any] = {"window": 3, "stride": 3, "units": [0]}
    reference = explain(net, image, NormalSampler(), samples=2000, seed=10**6, **settings)
    relevance, stderr = runs(net, image, NormalSampler(), 60, samples=20, **settings)
    z = (relevance - reference.relevance) / np.hypot(stderr, reference.stderr)
    z = z[..., ::3, ::3].ravel()  # one pixel a window: 720 numbers
    # the mean of 720 is off by 0.04, and the bend of the logarithm adds 0.1; a wrong slope or a forgotten root would
    # change the spread by a factor
    assert abs(z.mean()) < 0.3
    assert 0.9 < z.std() < 1.25
    assert 0.88 < (np.abs(z) < 2).mean() < 0.98
    assert reference.stderr.mean() == pytest.approx(stderr.mean() / 10, rel=0.1)


def test_one_draw_leaves_the_error_unknown() -> None:
    result = explain(MapNet(SHAPE), photo(SHAPE), NormalSampler(), window=3, samples=1, stride=3)
    assert np.isnan(result.stderr).all()
    assert np.isfinite(result.relevance).all()


# ------------------------------------------------------------------------------------------ a small corpus


CORPUS = np.stack([photo(SHAPE, seed) for seed in range(9)])


def on_corpus(samples: int, **settings: Any) -> Explanation:
    """The corpus holds the explained image, which leaves 8 others."""
    return explain(
        mild(),
        CORPUS[4],
        MarginalSampler(CORPUS),
        window=3,
        stride=3,
        between="none",
        samples=samples,
        units=[0],
        **settings,
    )


@pytest.mark.parametrize("samples", [8, 9, 20])
def test_a_used_up_corpus_is_exact_and_says_so(samples: int) -> None:
    """Equation (2): the mean over all that could have stood there, the same for every seed."""
    result, again = on_corpus(samples), on_corpus(samples, seed=7)
    assert (result.stderr == 0).all()
    np.testing.assert_array_equal(result.relevance, again.relevance)
    (note,) = result.notes
    assert "Each of the 8 other images" in note
    assert "says nothing of images outside it" in note
    net = mild()
    for row, column in ((0, 0), (3, 9), (6, 6)):
        changed = np.stack([CORPUS[4]] * 8)
        changed[:, :, row : row + 3, column : column + 3] = np.delete(CORPUS, 4, axis=0)[
            :, :, row : row + 3, column : column + 3
        ]
        p = [(10_000 * float(v) + 1) / 10_004 for v in (
            net.forward(CORPUS[4][None], ["prob"])["prob"][0, 0], net.forward(changed, ["prob"])["prob"][:, 0].mean()
        )]  # fmt: skip
        wanted = np.log2(p[0] / (1 - p[0])) - np.log2(p[1] / (1 - p[1]))
        window = result.relevance[0, row : row + 3, column : column + 3]
        np.testing.assert_allclose(window, wanted, rtol=1e-4, atol=1e-6)


def test_a_used_up_corpus_of_one_draw_is_exact_too() -> None:
    image = CORPUS[0]
    result = explain(MapNet(SHAPE), image, MarginalSampler(CORPUS[:2]), window=3, samples=1, stride=3)
    assert (result.stderr == 0).all()


def test_a_part_of_a_corpus_says_what_its_error_is_of() -> None:
    (note,) = on_corpus(7).notes
    assert "drawing from the corpus of 8 other images, not of the world" in note


@pytest.mark.parametrize("samples", [2, 7])
def test_the_correction_for_a_finite_corpus_is_borne_out_by_other_seeds(samples: int) -> None:
    """Of 8 images 7 leave an eighth of the variance: uncorrected it would be overstated by 8, with the explained image
    counted in by 1.8.
    """
    net = mild()
    settings: dict[str, Any] = {"window": 3, "stride": 3, "blob": "scores", "units": [0, 1, 2]}
    relevance, stderr = runs(net, CORPUS[4], MarginalSampler(CORPUS), samples=samples, **settings)
    assert overstated(relevance, stderr) == pytest.approx(1, abs=0.3)
    whole = explain(net, CORPUS[4], MarginalSampler(CORPUS), samples=8, **settings)
    z = (relevance.mean(axis=0) - whole.relevance) / (relevance.std(axis=0, ddof=1) / np.sqrt(RUNS))
    assert np.abs(z).max() < 5.5


def test_a_net_that_does_not_look_there_has_no_error() -> None:
    """Where nothing varies the standard error is 0 and the relevance too, beside windows that vary a great deal."""
    weights = np.zeros((2, *SHAPE))
    weights[1, :, 2:5, 3:6] = 0.03
    image = photo(SHAPE)
    net = LinearNet(weights, [float(np.sum(weights * image)), 0.0])  # undecided
    result = explain(net, image, NormalSampler(), window=3, samples=20, units=[1])
    away = np.ones(SHAPE[1:], bool)
    away[:7, 1:8] = False
    assert np.isfinite(result.stderr).all()
    np.testing.assert_allclose(result.stderr[:, away], 0, atol=1e-6)
    np.testing.assert_allclose(result.relevance[:, away], 0, atol=1e-6)
    assert result.stderr[0, 3, 4] > 0.01
