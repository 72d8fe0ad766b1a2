"""Correlations with the noise taken out, of made quantities whose correlation is known."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

#: How many, and what chance leaves of correlations of so many, several times over.
COUNT, CHANCE = 20_000, 0.05


@pytest.fixture
def correlating(module: Callable[[str], Any]) -> Any:
    return module("claims.correlating")


def normal(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(COUNT)


def test_noise_is_taken_out(correlating: Any) -> None:
    first = normal(0)
    second = 0.6 * first + 0.8 * normal(1)
    # as much noise as signal: halves correlate by a half, and the two quantities by half of 0.6
    found = correlating.alike([first + normal(2), first + normal(3)], [second + normal(4), second + normal(5)])
    assert found == pytest.approx((0.6, 0.3, 0.5, 0.5), abs=CHANCE)


def test_what_like_halves_share_is_not_taken_for_likeness(correlating: Any) -> None:
    shared = [normal(2), normal(3)]
    first, second = ([normal(seed) + noise for noise in shared] for seed in (0, 1))
    assert np.corrcoef(first[0], second[0])[0, 1] > 0.4
    assert correlating.alike(first, second).corrected == pytest.approx(0, abs=CHANCE)


def test_nothing_is_told_of_noise_alone(correlating: Any) -> None:
    signal, noise = [normal(0)] * 2, [normal(1), normal(2)]
    assert np.isnan(correlating.alike(signal, noise).corrected)
    assert np.isnan(correlating.alike(signal, [np.zeros(COUNT)] * 2).corrected)
    mean = correlating.average([correlating.alike(signal, noise), correlating.alike(signal, signal)])
    assert mean.corrected == pytest.approx(1)
    assert np.isnan(correlating.average([]).corrected)
