"""Patches made of normal numbers, held against explicit sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from predicdiff.noise import Noise

WINDOWS, SAMPLES, SIDES = 7, 3, (1, 4)


def noise(blocks: int = 1, size: int = 12, laws: int = 3, **change: Any) -> Noise:
    """Three channels, in one block or three, and windows of several laws in no order."""
    draw = np.random.default_rng(0).standard_normal
    factors = tuple(np.tril(draw((blocks, size, size))).astype(np.float32) for _ in range(laws))
    which = np.arange(WINDOWS) * 5 % laws
    return Noise(draw((WINDOWS, SAMPLES, blocks, size)), draw((WINDOWS, blocks, size)), which, factors, SIDES, **change)


def by_hand(draws: Noise) -> np.ndarray:
    """Value by value."""
    patches = np.zeros(draws.normal.shape)
    for window, sample, block, row in np.ndindex(patches.shape):
        factor = draws.factors[draws.laws[window]][block, row].astype(float)
        products = [a * b for a, b in zip(factor, draws.normal[window, sample, block])]
        patches[window, sample, block, row] = draws.means[window, block, row] + sum(products)
    return patches.reshape(WINDOWS, SAMPLES, 3, *SIDES)


@pytest.mark.parametrize("laws", [1, 3])
@pytest.mark.parametrize(("blocks", "size"), [(1, 12), (3, 4)])
def test_patches_equal_explicit_sums(blocks: int, size: int, laws: int) -> None:
    draws = noise(blocks, size, laws)
    patches = draws.patches()
    assert (patches.shape, patches.dtype) == (draws.shape, np.float32)
    assert draws.shape == (WINDOWS, SAMPLES, 3, *SIDES)
    np.testing.assert_allclose(patches, by_hand(draws), rtol=1e-6, atol=1e-6)


def test_one_windows_patches_are_those_among_all() -> None:
    low = np.random.default_rng(1).normal(-1, 0.3, (WINDOWS, 3, *SIDES))
    draws = noise(limits=(low, 1.0))
    np.testing.assert_array_equal(draws.of_window(4), draws.patches()[4])


def test_patches_are_cut_off_at_two_numbers() -> None:
    patches = noise(limits=(-0.5, 1.0)).patches()
    np.testing.assert_array_equal(patches, np.clip(noise().patches(), -0.5, 1.0))
    assert (patches.min(), patches.max()) == (-0.5, 1.0)


def test_patches_are_cut_off_at_each_values_own_bounds() -> None:
    low = np.random.default_rng(1).standard_normal((WINDOWS, 3, *SIDES)).astype(np.float32) - 1
    patches, free = noise(limits=(low, low + 1)).patches(), noise().patches()
    for window, sample, *value in np.ndindex(patches.shape):
        bounds = low[(window, *value)], low[(window, *value)] + np.float32(1)
        assert patches[(window, sample, *value)] == min(max(free[(window, sample, *value)], bounds[0]), bounds[1])


def test_no_windows() -> None:
    empty = Noise(np.empty((0, 4, 1, 12)), np.empty((0, 1, 12)), np.empty(0, int), (), SIDES)
    assert empty.patches().shape == (0, 4, 3, *SIDES)


def test_numbers_stay_as_they_are() -> None:
    used, again = noise(limits=(0.0, 1.0)), noise(limits=(0.0, 1.0))
    used.patches()
    np.testing.assert_array_equal(used.normal, again.normal)
    np.testing.assert_array_equal(used.means, again.means)
