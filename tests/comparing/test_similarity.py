"""The figures against explicit loops, closed forms and identities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.comparing.similarity import partial_pearson, similarity
from predicdiff.errors import ImageError, SettingsError


def random_pair(seed: int, shape: tuple[int, int] = (9, 11)) -> tuple[np.ndarray, np.ndarray]:
    """Two related maps with zeros, ties and unknown pixels."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape).round(1)
    b = (a + rng.normal(size=shape)).round(1)
    a[rng.random(shape) < 0.1] = np.nan
    b[rng.random(shape) < 0.1] = np.inf
    return a, b


def known_pairs(a: np.ndarray, b: np.ndarray) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist()) if np.isfinite(x) and np.isfinite(y)]


def correlation(pairs: list[tuple[float, float]]) -> float:
    means = [sum(column) / len(pairs) for column in zip(*pairs)]
    xx = xy = yy = 0.0
    for x, y in pairs:
        xx += (x - means[0]) ** 2
        xy += (x - means[0]) * (y - means[1])
        yy += (y - means[1]) ** 2
    return xy / (xx * yy) ** 0.5


def mean_rank(values: list[float], value: float) -> float:
    return sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_explicit_loops(seed: int) -> None:
    a, b = random_pair(seed)
    pairs = known_pairs(a, b)
    figures = similarity(a, b)
    assert figures.pixels == len(pairs)
    assert figures.pearson == pytest.approx(correlation(pairs))
    xs, ys = [list(column) for column in zip(*pairs)]
    ranks = [(mean_rank(xs, x), mean_rank(ys, y)) for x, y in pairs]
    assert figures.spearman == pytest.approx(correlation(ranks))
    signed = [(x, y) for x, y in pairs if x != 0 and y != 0]
    assert figures.sign_agreement == pytest.approx(sum((x > 0) == (y > 0) for x, y in signed) / len(signed))


def test_overlap_is_that_of_sets_where_nothing_ties() -> None:
    rng = np.random.default_rng(3)
    a = rng.permutation(200).reshape(10, 20) - 80.3
    b = a + rng.normal(scale=20.0, size=a.shape)
    for top, count in ((0.05, 10), (0.1, 20), (0.333, 67), (0.001, 1), (1.0, 200)):
        sets = [
            {place for place, _ in sorted(enumerate(np.abs(one).ravel()), key=lambda item: -item[1])[:count]}
            for one in (a, b)
        ]
        assert similarity(a, b, top=top).top_overlap == pytest.approx(len(sets[0] & sets[1]) / count)


def test_pixels_that_tie_for_the_last_places_share_them() -> None:
    """Three places: the first map has one clear member and four that share two, the second three clear ones."""
    a = np.array([[9.0, 5.0, -5.0, 5.0, -5.0, 0.0]])
    b = np.array([[8.0, 7.0, 6.0, 0.0, 0.0, 0.0]])
    assert similarity(a, b, top=0.5).top_overlap == pytest.approx((1 + 0.5 + 0.5) / 3)
    # whichever of the tied ones are drawn, on average as many are shared
    draws = [{0, *pair} for pair in itertools.combinations(range(1, 5), 2)]
    assert np.mean([len(draw & {0, 1, 2}) / 3 for draw in draws]) == pytest.approx(2 / 3)


@given(seed=st.integers(0, 10_000), factor=st.floats(1e-3, 1e3))
def test_identities(seed: int, factor: float) -> None:
    a, b = random_pair(seed)
    assert similarity(a, factor * a)[:4] == pytest.approx((1.0, 1.0, 1.0, 1.0))
    assert similarity(a, -factor * a)[:4] == pytest.approx((-1.0, -1.0, 0.0, 1.0))
    assert similarity(a, b) == pytest.approx(similarity(b, a))
    assert similarity(a, b) == pytest.approx(similarity(a.T, b.T))
    assert similarity(a, b).pearson == pytest.approx(similarity(a, factor * b + 3).pearson)
    assert similarity(a, b).spearman == pytest.approx(similarity(a, np.cbrt(b)).spearman)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e200, np.nan])
def test_a_map_that_is_the_same_everywhere_has_nothing_to_compare(constant: float) -> None:
    a = np.full((4, 5), constant)
    figures = similarity(a, np.arange(20.0).reshape(4, 5) - 3)
    assert np.isnan([figures.pearson, figures.spearman, figures.top_overlap]).all()
    assert np.isnan(figures.sign_agreement) == (not constant or np.isnan(constant))


def test_rounding_is_no_pattern() -> None:
    constant = np.full((4, 5), 0.3) + np.arange(20).reshape(4, 5) % 3 * 1e-16
    assert np.isnan(similarity(constant, np.arange(20.0).reshape(4, 5)).pearson)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_magnitudes_near_the_ends_of_float_count_too(scale: float) -> None:
    a, b = random_pair(0)
    assert similarity(scale * a, b)[:2] == pytest.approx(similarity(a, b)[:2])


def test_partial_correlation_is_that_of_the_closed_form() -> None:
    a, b = random_pair(5)
    c = np.nan_to_num(a) + np.random.default_rng(6).normal(size=a.shape)
    c[0, :3] = np.nan
    known = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    ab, ac, bc = (correlation(list(zip(x[known], y[known]))) for x, y in ((a, b), (a, c), (b, c)))
    expected = (ab - ac * bc) / ((1 - ac**2) * (1 - bc**2)) ** 0.5
    assert partial_pearson(a, b, [c]) == pytest.approx(expected)
    assert partial_pearson(1e-200 * a, b, [3e200 * c + 1e199]) == pytest.approx(expected)


def test_partial_correlation_is_that_of_residuals_by_hand() -> None:
    """Two covariates that are orthogonal to each other and to the constant: each is projected out by itself."""
    a, b = (np.random.default_rng(seed).normal(size=(8, 8)) for seed in (7, 8))
    c, d = np.repeat([[1.0, -1.0]], 4, axis=1).repeat(8, axis=0).reshape(8, 8), np.zeros((8, 8))
    d[:4], d[4:] = 1.0, -1.0
    rest = [x - x.mean() - (x * c).mean() * c - (x * d).mean() * d for x in (a, b)]
    expected = (rest[0] * rest[1]).sum() / np.sqrt((rest[0] ** 2).sum() * (rest[1] ** 2).sum())
    assert partial_pearson(a, b, [c, d]) == pytest.approx(expected)
    assert partial_pearson(a, b, [c, d, c + d, np.ones((8, 8))]) == pytest.approx(expected)


def test_partial_correlation_without_a_rest_is_undefined() -> None:
    a, b = (np.random.default_rng(seed).normal(size=(6, 7)) for seed in (9, 10))
    for x, y, covariates in ((a, 2 * b - 1, [b]), (np.ones((6, 7)), b, []), (a, b, [np.full((6, 7), np.nan)])):
        assert np.isnan(partial_pearson(x, y, covariates))
    assert partial_pearson(a, b, []) == pytest.approx(similarity(a, b).pearson)
    with pytest.raises(ImageError, match=r"the shapes \(6, 7\), \(6, 7\), \(7, 6\): want the same"):
        partial_pearson(a, b, [b.T])


def test_inputs_stay_as_they_are() -> None:
    a, b = random_pair(1)
    before = a.copy(), b.copy()
    similarity(a, b)
    np.testing.assert_array_equal((a, b), before)


def test_shapes_and_parts_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ImageError, match=r"shapes \(3, 4\) and \(4, 3\): want the same"):
        similarity(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(ImageError, match=r"want the same \(height, width\)"):
        similarity(np.zeros(4), np.zeros(4))
    for top in (0.0, 1.01, np.nan):
        with pytest.raises(SettingsError, match=r"top = .*: want a (number|part of the pixels)"):
            similarity(np.zeros((3, 4)), np.zeros((3, 4)), top=top)
