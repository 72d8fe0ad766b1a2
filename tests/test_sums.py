"""Sums held against exact fractions, in cases where double precision leaves open which float32 number is the next."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from predicdiff.noise import Means, drawn
from predicdiff.sums import dot, doubt, rounded


def exact(left: np.ndarray, right: np.ndarray) -> Fraction:
    return sum((Fraction(a) * Fraction(b) for a, b in zip(left.tolist(), right.tolist())), Fraction(0))


def test_a_sum_that_cancels_is_that_of_fractions() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        left, right = rng.standard_normal((2, 40)) * 10.0 ** rng.integers(-6, 6, (2, 40))
        beside = -float(left @ right)  # leaves the rounding alone
        assert dot(left, right, beside=beside) == float(exact(left, right) + Fraction(beside))


def test_products_lie_within_their_doubt() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((2, 5, 300)), rng.standard_normal((2, 9, 300))
    bounds, products = doubt(left, right), left @ right.transpose(0, 2, 1)
    for block, row, other in np.ndindex(products.shape):
        error = abs(Fraction(products[block, row, other]) - exact(left[block, row], right[block, other]))
        assert error <= Fraction(bounds[block, row])


def test_what_is_open_is_asked_for_and_nothing_else() -> None:
    tie = 1 + 2.0**-24  # in the middle of two float32 numbers
    asked: list[tuple[int, ...]] = []

    def exactly(place: tuple[int, ...]) -> float:
        asked.append(place)
        return 1 + 2.0**-23

    values = np.array([[1.0, tie + 1e-12], [tie - 1e-12, 3.0]])
    np.testing.assert_array_equal(
        rounded(values, np.full(2, 1e-11), exactly), np.float32([[1, 1 + 2.0**-23], [1 + 2.0**-23, 3]])
    )
    assert asked == [(0, 1), (1, 0)]


def test_draws_next_to_a_tie_are_rounded_as_their_exact_sums_alone_and_among_others() -> None:
    """Large products cancel, and one of 2**-50 is left, which is lost beside them in double precision."""
    rng, windows, samples = np.random.default_rng(0), 6, 5
    large, signs = rng.normal(0, 1e3, (windows, samples, 20)), rng.choice([-1.0, 1.0], (windows, samples, 1))
    numbers = rng.permuted(np.concatenate([large, -large, signs * 2.0**-50], axis=2), axis=2)
    normal, factor = numbers[:, :, None], np.tril(np.ones((1, 41, 41), np.float32))
    means = Means(np.full((windows, 1, 41), 1 + 2.0**-24), np.zeros(1))
    draws = drawn(normal, means, factor)
    np.testing.assert_array_equal(draws[:, :, 0, -1], np.where(signs[..., 0] > 0, 1 + 2.0**-23, 1.0))
    alone = drawn(normal[3:4, :1], Means(means.values[:1], np.zeros(1)), factor)
    np.testing.assert_array_equal(alone[0, 0], draws[3, 0])
