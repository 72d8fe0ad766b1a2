"""Bootstrap intervals against enumeration, the normal approximation and explicit resampling."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest

from predicdiff.errors import SettingsError
from predicdiff.judging.bootstrap import interval


def test_two_values_by_enumeration() -> None:
    """Of 0 and 1 the mean of two draws is 0, 1/2, 1 with 1/4, 1/2, 1/4: the middle 40 % is 1/2, 60 % is all."""
    assert interval(np.array([0.0, 1.0]), level=0.4) == (0.5, 0.5)
    assert interval(np.array([0.0, 1.0]), level=0.6) == (0.0, 1.0)


def test_three_values_by_enumeration() -> None:
    values = [0.0, 1.0, 5.0]
    means = sorted(statistics.fmean(drawn) for drawn in itertools.product(values, repeat=3))
    low, high = interval(np.array(values), level=0.8)
    assert means[2] <= low <= means[3]  # a tenth of 27 lies between them
    assert means[-4] <= high <= means[-3]


def test_many_values_are_nearly_normal() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = interval(values)
    spread = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - spread, abs=0.02)
    assert high == pytest.approx(values.mean() + spread, abs=0.02)


def test_rows_belong_to_the_same_resamples() -> None:
    values = np.random.default_rng(1).random((2, 3, 9))
    low, high = interval(values, seed=4, resamples=500)
    assert low.shape == high.shape == (2, 3)
    for index in np.ndindex(2, 3):
        alone = interval(values[index], seed=4, resamples=500)
        np.testing.assert_allclose((low[index], high[index]), alone)
    shifted = interval(values + 10.0, seed=4, resamples=500)
    np.testing.assert_allclose(shifted[0], low + 10)


def test_by_explicit_resampling() -> None:
    values = np.array([1.0, 4.0, 9.0, 16.0])
    random = np.random.default_rng(7)
    means = []
    for _ in range(50):
        drawn = random.random(4)
        means.append(statistics.fmean(values[int(u * 4)] for u in drawn))
    wanted = np.quantile(means, [0.05, 0.95])
    np.testing.assert_allclose(interval(values, seed=7, level=0.9, resamples=50), wanted)


def test_draws_in_parts_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random((2, 11))
    wanted = interval(values, resamples=200)
    for at_a_time in (1, 50, 2199, 2200):
        monkeypatch.setattr("predicdiff.judging.bootstrap.AT_A_TIME", at_a_time)
        np.testing.assert_allclose(interval(values, resamples=200), wanted, rtol=1e-12)


def test_the_seed_decides() -> None:
    values = np.random.default_rng(2).random(20)
    assert interval(values, seed=1) == interval(values, seed=1)
    assert interval(values, seed=1) != interval(values, seed=2)


def test_of_one_value_nothing_can_be_said() -> None:
    low, high = interval(np.zeros((3, 1)))
    assert np.isnan(low).all()
    assert np.isnan(high).all()
    assert low.shape == (3,)


@pytest.mark.parametrize("settings", [{"level": 0.0}, {"level": 1.0}, {"resamples": 0}])
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    with pytest.raises(SettingsError, match="want at least one value, 0 < level < 1, resamples >= 1"):
        interval(np.arange(3), **settings)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_no_value_is_refused(shape: tuple) -> None:
    with pytest.raises(SettingsError, match="want at least one value"):
        interval(np.zeros(shape))
