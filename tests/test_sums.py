"""Sums held against exact fractions, in cases where double precision leaves open which float32 number is the next."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from predicdiff.noise import Means, drawn
from predicdiff.sums import UNIT, between, dot, finer, products


def exact(left: np.ndarray, right: np.ndarray) -> Fraction:
    return sum((Fraction(a) * Fraction(b) for a, b in zip(left.tolist(), right.tolist())), Fraction(0))


def test_a_sum_that_cancels_is_that_of_fractions() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        left, right = rng.standard_normal((2, 40)) * 10.0 ** rng.integers(-6, 6, (2, 40))
        beside = -float(left @ right)  # leaves the rounding alone
        assert dot(left, right, beside=beside) == float(exact(left, right) + Fraction(beside))


def test_products_lie_within_their_doubts() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((2, 5, 700)) * 10.0 ** rng.integers(-6, 6, (2, 5, 700))
    values, bounds = products(left, right)
    for row, other in np.ndindex(values.shape):
        assert abs(Fraction(values[row, other]) - exact(left[row], right[other])) <= Fraction(bounds[row, other])


def test_finer_products_are_of_a_few_roundings_even_where_large_ones_cancel() -> None:
    rng = np.random.default_rng(2)
    left, right = rng.standard_normal((2, 20, 300)) * 10.0 ** rng.integers(-2, 2, (2, 20, 300))
    right[:, 0] -= np.einsum("mk,mk->m", left, right) / left[:, 0]  # leaves little of the sum
    plain, (values, bounds) = np.einsum("mk,mk->m", left, right), finer(left, right)
    truth = [exact(*rows) for rows in zip(left, right)]
    assert all(abs(Fraction(one) - true) <= Fraction(bound) for one, true, bound in zip(values, truth, bounds))
    assert any(abs(Fraction(one) - true) > Fraction(bound) for one, true, bound in zip(plain, truth, bounds))


def test_finer_products_of_very_small_and_very_large_numbers() -> None:
    rng = np.random.default_rng(3)
    for scale in (1e-300, 1e-160, 1e-38, 1e38, 1e150):
        left, right = rng.standard_normal((2, 4, 50))
        values, bounds = finer(left * scale, right)
        for row, value in enumerate(values):
            assert abs(Fraction(value) - exact(left[row] * scale, right[row])) <= Fraction(bounds[row])
            assert scale < 1e-40 or bounds[row] < 100 * UNIT * abs(value)


def test_what_is_open_is_told_and_nothing_else() -> None:
    tie = 1 + 2.0**-24  # in the middle of two float32 numbers
    nearest, unsure = between(np.array([[0.0, tie - 1 + 1e-12], [tie - 1 - 1e-12, 2.0]]), np.ones(2), np.full(2, 1e-11))
    np.testing.assert_array_equal(unsure, [[False, True], [True, False]])
    np.testing.assert_array_equal(nearest[~unsure], [1, 3])


def test_draws_next_to_a_tie_are_rounded_as_their_exact_sums_alone_and_among_others() -> None:
    """Large products cancel, and one of 2**-50 is left, which is lost beside them in double precision."""
    rng, windows, samples = np.random.default_rng(0), 6, 5
    large, signs = rng.normal(0, 1e3, (windows, samples, 20)), rng.choice([-1.0, 1.0], (windows, samples, 1))
    numbers = np.concatenate([large, -large, signs * 2.0**-50], axis=2)
    numbers = np.take_along_axis(numbers, rng.random(numbers.shape).argsort(axis=2), axis=2)
    normal, factor = numbers[:, :, None], np.tril(np.ones((1, 41, 41), np.float32))
    means = Means(np.full((windows, 1, 41), 1 + 2.0**-24), np.zeros(1))
    draws = drawn(normal, means, factor)
    np.testing.assert_array_equal(draws[:, :, 0, -1], np.where(signs[..., 0] > 0, 1 + 2.0**-23, 1.0))
    alone = drawn(normal[3:4, :1], Means(means.values[:1], np.zeros(1)), factor)
    np.testing.assert_array_equal(alone[0, 0], draws[3, 0])
