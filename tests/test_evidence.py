"""Evidence against fractions, enumeration and simulation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import SettingsError
from predicdiff.evidence import activation_difference, evidence_against, kept, laplace, log_odds, weight_of_evidence

ILSVRC = {"instances": 1_281_167, "classes": 1000}
SMALL = {"instances": 40, "classes": 4}


def exact_laplace(p: Fraction, instances: int, classes: int) -> Fraction:
    return (p * instances + 1) / (instances + classes)


def exact_bits(odds: Fraction) -> float:
    """log2 of a fraction, each part by itself lest a float overflow."""
    return math.log2(odds.numerator) - math.log2(odds.denominator)


def exact_odds(p: Fraction) -> Fraction:
    return p / (1 - p)


def array(*values: Any) -> np.ndarray:
    return np.array([float(value) for value in values])


def draws_of(*values: Any) -> np.ndarray:
    """One window, one target: (1, S, 1)."""
    return array(*values)[None, :, None]


probabilities = st.fractions(0, 1, max_denominator=10_000)

# Laplace's correction


@given(probabilities, st.integers(1, 10**7), st.integers(2, 1000))
def test_laplace_is_the_fraction(p: Fraction, instances: int, classes: int) -> None:
    corrected = laplace(array(p), instances=instances, classes=classes)[0]
    assert corrected == pytest.approx(float(exact_laplace(p, instances, classes)), rel=1e-12)
    assert 0 < corrected < 1


def test_laplace_by_hand_keeps_a_distribution_one() -> None:
    corrected = laplace(array(0, Fraction(1, 4), Fraction(3, 4), 0), **SMALL)
    np.testing.assert_allclose(corrected, [1 / 44, 11 / 44, 31 / 44, 1 / 44], rtol=1e-15)


def test_laplace_of_single_precision_is_worked_out_in_double() -> None:
    p = np.float32(0.3)
    assert laplace(np.array([p]), **ILSVRC)[0] == (float(p) * 1_281_167 + 1) / 1_282_167


@pytest.mark.parametrize(("instances", "classes"), [(0, 10), (-5, 10), (100, 1), (100, 0)])
def test_laplace_refuses_numbers_that_make_no_sense(instances: int, classes: int) -> None:
    with pytest.raises(SettingsError, match=rf"N >= 1 and K >= 2, not N = {instances} and K = {classes}"):
        laplace(np.zeros(1), instances=instances, classes=classes)


@pytest.mark.parametrize(("p", "bits"), [(0.5, 0), (0.8, 2), (0.2, -2), (1 / 1025, -10), (1 / 3, -1)])
def test_log_odds_by_hand(p: float, bits: float) -> None:
    assert log_odds(np.array(p)) == pytest.approx(bits, abs=1e-12)


# weight of evidence


@given(probabilities, st.lists(probabilities, min_size=1, max_size=6), st.integers(1, 10**6), st.integers(2, 50))
def test_weight_of_evidence_is_the_difference_of_the_log_odds_of_the_mean(
    base: Fraction, draws: list, instances: int, classes: int
) -> None:
    mean = sum(draws) / len(draws)
    wanted = exact_bits(exact_odds(exact_laplace(base, instances, classes))) - exact_bits(
        exact_odds(exact_laplace(mean, instances, classes))
    )
    difference = weight_of_evidence(array(base), draws_of(*draws), instances=instances, classes=classes)
    assert difference.value.shape == difference.variance.shape == (1, 1)
    assert difference.value[0, 0] == pytest.approx(wanted, abs=1e-8)


def test_positive_where_the_window_speaks_for_the_class() -> None:
    speaks_for = weight_of_evidence(array(0.9), draws_of(0.4, 0.6), **ILSVRC)
    speaks_against = weight_of_evidence(array(0.4), draws_of(0.9, 0.8), **ILSVRC)
    assert speaks_for.value[0, 0] > 0 > speaks_against.value[0, 0]


def test_the_mean_of_the_probabilities_counts_not_the_mean_of_the_log_odds() -> None:
    bits = weight_of_evidence(array(0.8), draws_of(0.5, 0.02), instances=10**12, classes=2).value[0, 0]
    assert bits == pytest.approx(2 - math.log2(0.26 / 0.74), abs=1e-9)
    mean_of_log_odds = (0 + math.log2(0.02 / 0.98)) / 2
    assert abs(bits - (2 - mean_of_log_odds)) > 1


def test_a_confident_net_is_flattened_from_three_bits_to_a_sixth() -> None:
    base, without = Fraction(99_999, 100_000), Fraction(9_999, 10_000)
    bare = exact_bits(exact_odds(base) / exact_odds(without))
    assert bare == pytest.approx(3.32, abs=0.005)
    bits = weight_of_evidence(array(base), draws_of(without, without), **ILSVRC).value[0, 0]
    assert bits == pytest.approx(0.16, abs=0.005)
    # by hand: what is left of 1 is (K - 1 + N (1 - p)) / (N + K), and p itself hardly moves
    assert bits == pytest.approx(math.log2((999 + 128.1167) / (999 + 12.81167)), abs=2e-4)


def test_probabilities_of_zero_and_one_stay_finite() -> None:
    difference = weight_of_evidence(array(1, 0), np.array([[[0.0, 1.0], [0.0, 1.0]]]), **ILSVRC)
    wanted = exact_bits(Fraction(1_281_168, 999) * 1_282_166)
    np.testing.assert_allclose(difference.value, [[wanted, -wanted]], rtol=1e-9)
    np.testing.assert_array_equal(difference.variance, [[0, 0]])


def test_windows_and_targets_do_not_mix() -> None:
    rng = np.random.default_rng(0)
    base, draws = rng.uniform(size=3), rng.uniform(size=(4, 5, 3))
    together = weight_of_evidence(base, draws, **SMALL)
    assert together.value.shape == together.variance.shape == (4, 3)
    for window, target in np.ndindex(4, 3):
        alone = weight_of_evidence(base[[target]], draws[[window]][..., [target]], **SMALL)
        assert together.value[window, target] == pytest.approx(alone.value[0, 0], rel=1e-12)
        assert together.variance[window, target] == pytest.approx(alone.variance[0, 0], rel=1e-12)


@pytest.mark.parametrize("scale", [ILSVRC, SMALL, {"instances": 1_281_167, "classes": 2}])
@pytest.mark.parametrize("p", [1e-8, 1e-6, 0.01, 0.5, 0.97, 0.999, 0.99999])
def test_what_laplace_leaves_of_small_changes_by_finite_differences(p: float, scale: dict) -> None:
    low, high = (Fraction(p) + sign * Fraction(min(p, 1 - p)) / 10**6 for sign in (-1, 1))
    corrected = [exact_laplace(one, **scale) for one in (low, high)]
    falls = [float(exact_odds(more) / exact_odds(less) - 1) for less, more in (corrected, (low, high))]
    wanted = math.log1p(falls[0]) / math.log1p(falls[1])
    assert kept(array(p), **scale)[0] == pytest.approx(wanted, rel=1e-4)


def test_half_is_left_where_the_docstring_says() -> None:
    np.testing.assert_allclose(kept(array(1 - 1000 / 1_281_167, 1 / 1_281_167), **ILSVRC), 0.5, atol=1e-3)
    np.testing.assert_array_equal(kept(array(0, 1), **ILSVRC), [0, 0])


# one class against another


@given(st.lists(probabilities, min_size=2, max_size=2), st.lists(st.tuples(probabilities, probabilities), min_size=1))
def test_evidence_against_is_the_difference_of_two_falls_of_log_probability(base: list, draws: list) -> None:
    means = [sum(draw[i] for draw in draws) / len(draws) for i in (0, 1)]
    falls = [exact_bits(exact_laplace(base[i], **SMALL)) - exact_bits(exact_laplace(means[i], **SMALL)) for i in (0, 1)]
    first, second = (draws_of(*(draw[i] for draw in draws)) for i in (0, 1))
    difference = evidence_against(array(base[0]), array(base[1]), first, second, **SMALL)
    assert difference.value[0, 0] == pytest.approx(falls[0] - falls[1], abs=1e-9)


def test_evidence_against_turns_its_sign_with_the_classes_and_keeps_its_error() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet([3, 2, 1], size=(4, 7))
    base = array(0.5, 0.3, 0.2)

    def against(c: int, d: int) -> Any:
        return evidence_against(base[[c]], base[[d]], p[..., [c]], p[..., [d]], **SMALL)

    there, back = against(0, 1), against(1, 0)
    np.testing.assert_allclose(there.value, -back.value, atol=1e-12)
    np.testing.assert_allclose(there.variance, back.variance, rtol=1e-10)
    np.testing.assert_allclose(there.value + against(1, 2).value, against(0, 2).value, atol=1e-12)


def test_of_two_classes_one_against_the_other_is_the_weight_of_evidence() -> None:
    draws = np.random.default_rng(2).uniform(size=(6, 9, 1))
    plain = weight_of_evidence(array(0.7), draws, instances=50, classes=2)
    contrast = evidence_against(array(0.7), array(0.3), draws, 1 - draws, instances=50, classes=2)
    np.testing.assert_allclose(contrast.value, plain.value, atol=1e-12)
    np.testing.assert_allclose(contrast.variance, plain.variance, rtol=1e-10)


# activation difference


def test_activation_difference_is_the_plain_difference() -> None:
    draws = np.array([[[1.0, 10.0], [2.0, 20.0], [6.0, 60.0]], [[0.0, 0.0], [0.0, 0.0], [3.0, 30.0]]])
    difference = activation_difference(array(5, -5), draws)
    np.testing.assert_allclose(difference.value, [[2, -35], [4, -15]])
    # sample variances 7 and 3 over three draws
    np.testing.assert_allclose(difference.variance, [[7 / 3, 700 / 3], [1.0, 100.0]])


# errors


def spread_of(difference: Any) -> tuple:
    """Variance over repetitions (windows), and the mean of what each claimed."""
    return difference.value.var(axis=0), difference.variance.mean(axis=0)


def test_the_delta_method_is_borne_out_by_repetition() -> None:
    draws = np.random.default_rng(3).beta([8, 2, 1], [4, 30, 1], size=(6000, 100, 3))
    seen, claimed = spread_of(weight_of_evidence(array(0.7, 0.1, 0.5), draws, **ILSVRC))
    np.testing.assert_allclose(claimed, seen, rtol=0.07)


def test_the_delta_method_holds_where_laplace_flattens() -> None:
    draws = 1 - np.random.default_rng(4).beta([1], [1000], size=(6000, 100, 1))
    seen, claimed = spread_of(weight_of_evidence(array(0.9999), draws, **ILSVRC))
    np.testing.assert_allclose(claimed, seen, rtol=0.07)


def test_the_error_of_a_contrast_counts_that_its_classes_move_together() -> None:
    p = np.random.default_rng(5).dirichlet([6, 3, 1], size=(6000, 100))
    difference = evidence_against(array(0.6), array(0.3), p[..., [0]], p[..., [1]], **ILSVRC)
    seen, claimed = spread_of(difference)
    np.testing.assert_allclose(claimed, seen, rtol=0.07)


def test_the_error_of_an_activation_is_borne_out_by_repetition() -> None:
    draws = np.random.default_rng(6).normal(2, 3, size=(6000, 20, 1))
    seen, claimed = spread_of(activation_difference(array(0), draws))
    np.testing.assert_allclose(claimed, seen, rtol=0.07)
    np.testing.assert_allclose(claimed, 9 / 20, rtol=0.02)


@pytest.mark.parametrize("samples", [2, 3, 5, 6])
def test_choices_from_a_small_corpus_against_all_its_subsets(samples: int) -> None:
    population = np.random.default_rng(7).normal(size=7)
    subsets = np.array(list(itertools.combinations(population, samples)))[..., None]
    difference = activation_difference(array(0), subsets, sampled=samples / 7)
    # over all equally likely subsets the claimed variance is right on average, not about
    assert difference.variance.mean() == pytest.approx(difference.value.var(), rel=1e-10)


def test_subsets_of_a_corpus_of_probabilities() -> None:
    population = np.random.default_rng(8).uniform(0.4, 0.6, size=12)
    subsets = np.array(list(itertools.combinations(population, 8)))[..., None]
    seen, claimed = spread_of(weight_of_evidence(array(0.9), subsets, **ILSVRC, sampled=8 / 12))
    np.testing.assert_allclose(claimed, seen, rtol=0.02)


ONE, TWO = draws_of(0.3), draws_of(0.3, 0.5)


def differences(draws: np.ndarray, sampled: float) -> list:
    return [
        weight_of_evidence(array(0.7), draws, **SMALL, sampled=sampled),
        evidence_against(array(0.7), array(0.2), draws, 0.9 - draws, **SMALL, sampled=sampled),
        activation_difference(array(0.7), draws, sampled=sampled),
    ]


@pytest.mark.parametrize("sampled", [0.0, 0.1])
def test_a_single_draw_out_of_more_has_a_value_but_no_known_error(sampled: float) -> None:
    for difference in differences(ONE, sampled):
        assert np.isfinite(difference.value).all()
        assert np.isnan(difference.variance).all()
        assert difference.variance.shape == (1, 1)


@pytest.mark.parametrize("draws", [ONE, TWO])
def test_a_corpus_used_up_has_no_error(draws: np.ndarray) -> None:
    for difference in differences(draws, 1.0):
        np.testing.assert_array_equal(difference.variance, [[0]])


def test_single_precision_draws_are_worked_out_in_double_and_left_alone() -> None:
    draws = np.random.default_rng(9).uniform(size=(3, 5, 2)).astype(np.float32)
    base = np.array([0.5, 0.25], np.float32)
    before = draws.copy()
    exact = weight_of_evidence(base.astype(float), draws.astype(float), **SMALL)
    for difference in (weight_of_evidence(base, draws, **SMALL), activation_difference(base, draws)):
        assert difference.value.dtype == difference.variance.dtype == np.float64
    np.testing.assert_allclose(weight_of_evidence(base, draws, **SMALL).value, exact.value, rtol=1e-12)
    np.testing.assert_array_equal(draws, before)
