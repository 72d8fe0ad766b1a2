"""Shares of energy of made maps, whose spectra are known."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

SIDE = 64


@pytest.fixture
def share(module: Callable[[str], Any]) -> Any:
    return module("claims.sharpness").share


def above(cycle: float) -> float:
    """Of all frequencies but 0, those above one cycle in so many pixels, counted one by one."""
    steps = [min(n, SIDE - n) for n in range(SIDE)]
    squares = [a * a + b * b for a in steps for b in steps]
    return sum(square > (SIDE / cycle) ** 2 for square in squares) / (len(squares) - 1)


@pytest.mark.parametrize("cycle", [4, 16, 32])
def test_white_noise_has_as_much_energy_at_every_frequency(share: Any, cycle: float) -> None:
    maps = np.random.default_rng(0).normal(5, 1, (20, SIDE, SIDE))
    found = [share(one, one, cycle) for one in maps]
    # each estimate is a mean over hundreds of frequencies; the Hann window makes neighbours alike
    assert np.mean(found) == pytest.approx(above(cycle), abs=4 * np.std(found) / np.sqrt(len(found)) + 1e-3)


def test_noise_of_the_halves_does_not_pass_for_sharpness(share: Any) -> None:
    rng = np.random.default_rng(1)
    smooth = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 6, mode="wrap")
    noise = smooth.std() * rng.normal(size=(3, SIDE, SIDE))
    true = share(smooth, smooth, 16)
    assert share(smooth + noise[0], smooth + noise[1], 16) == pytest.approx(true, abs=0.1)
    # what both halves have in common counts
    assert share(smooth + noise[0] + noise[2], smooth + noise[1] + noise[2], 16) > true + 0.4


def test_a_wave_lies_on_its_side_of_the_limit(share: Any) -> None:
    at = np.arange(SIDE)
    for cycles, wanted in ((8, 0.0), (2, 0.0), (14, 1.0)):
        wave = np.tile(np.sin(2 * np.pi * cycles * at / SIDE), (SIDE, 1))
        # the limit is 11 cycles in the square; the Hann window spreads a wave over one frequency to each side
        assert share(wave, wave, SIDE / 11) == pytest.approx(wanted, abs=1e-9)


def test_halves_that_have_nothing_in_common_have_no_share(share: Any) -> None:
    one = np.random.default_rng(2).normal(size=(SIDE, SIDE))
    assert np.isnan(share(one, -one, 32))
