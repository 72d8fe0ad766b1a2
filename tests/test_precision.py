"""What is said of a map's errors, held against maps of nets whose true map is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, NormalSampler, photo

import predicdiff as pd
from predicdiff import windows
from predicdiff.between import Grid
from predicdiff.evidence import Difference
from predicdiff.precision import interpolated, reliability
from predicdiff.samplers.grey import GreyPatch

SHAPE = (1, 60, 66)


def landscape(seed: int, roughness: float = 1.5) -> LinearNet:
    """A net of two scores; the second has weights that vary at all scales, the larger ones more."""
    height, width = SHAPE[1:]
    waves = np.fft.rfft2(np.random.default_rng(seed).normal(size=(height, width)))
    length = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)) + 1 / height
    weights = np.fft.irfft2(waves / length**roughness, s=(height, width))
    return LinearNet(np.stack([np.zeros(SHAPE), weights[None] / weights.std() / 100]))


def true_map(net: LinearNet, image: np.ndarray, window: int) -> np.ndarray:
    """The map (H, W) of the second score at stride 1 and infinitely many draws, whose mean is the sampler's."""
    origins = windows.grid(SHAPE[1:], window=window)
    mean = NormalSampler().draw(image, origins[:1], window=window, samples=20_000, seed=7).mean()
    falls = windows.cut(net.weights[1] * (image - mean), origins, window=window).sum(axis=(1, 2, 3))
    return windows.spread(falls, origins, window=window, shape=SHAPE[1:])


@pytest.mark.parametrize(("seed", "window", "stride"), [(0, 5, 2), (1, 6, (3, 2)), (2, 5, 4)])
def test_fifty_seeds_bear_the_errors_out(seed: int, window: int, stride: Any) -> None:
    net, image = landscape(seed), photo(SHAPE, seed)
    true = true_map(net, image, window)
    how: dict[str, Any] = {"window": window, "samples": 3, "stride": stride, "blob": "scores", "units": [1]}
    results = [pd.explain(net, image, NormalSampler(), seed=run, **how) for run in range(50)]
    maps, noise, left_out = (
        np.stack([part[0] for part in parts]) for parts in (
            [result.relevance for result in results],
            [result.stderr**2 for result in results],
            [result.interpolation_error**2 for result in results if result.interpolation_error is not None],
        )
    )  # fmt: skip
    assert 0.8 < maps.var(axis=0, ddof=1).mean() / noise.mean() < 1.25
    assert 0.8 < np.mean((maps - true) ** 2) / np.mean(noise + left_out) < 1.25
    assert left_out.mean() > 0.2 * noise.mean(), "next to the noise it would not be seen"
    told = np.array([result.reliability for result in results])
    found = [np.corrcoef(one.ravel(), true.ravel())[0, 1] for one in maps]
    assert abs(told.mean() - np.mean(found)) < 0.03


def test_the_more_windows_the_more_reliable_up_to_the_true_map() -> None:
    net, image = landscape(3), photo(SHAPE, 3)
    how: dict[str, Any] = {"window": 6, "samples": 1, "blob": "scores", "units": [1], "between": "linear"}
    told = [pd.explain(net, image, GreyPatch(), stride=stride, **how).reliability[0] for stride in (6, 4, 3, 2, 1)]
    assert told == sorted(told)
    assert told[-1] == 1
    assert told[0] < 0.9


def test_where_pixels_are_in_no_window_nothing_is_promised() -> None:
    net, image = landscape(3), photo(SHAPE, 3)
    how: dict[str, Any] = {"window": 3, "samples": 2, "blob": "scores", "units": [1], "between": "linear"}
    assert np.isnan(pd.explain(net, image, NormalSampler(), stride=(2, 4), **how).reliability).all()
    assert np.isfinite(pd.explain(net, image, NormalSampler(), stride=(2, 3), **how).reliability).all()


def test_where_an_error_is_unknown_so_is_the_reliability() -> None:
    net, image = landscape(3), photo(SHAPE, 3)
    how: dict[str, Any] = {"window": 6, "blob": "scores", "units": [0, 1]}
    one_draw = pd.explain(net, image, NormalSampler(), samples=1, stride=3, **how)
    assert np.isnan(one_draw.reliability[1])
    assert one_draw.interpolation_error is not None
    spread = pd.explain(net, image, NormalSampler(), samples=2, stride=3, between="none", **how)
    assert (spread.reliability, spread.interpolation_error) == (None, None)
    # of two windows along an axis none can be left out to see what that does
    origins = windows.grid((8, 12), window=(6, 3), stride=(2, 3))
    few = interpolated(Grid.of(Difference(*np.ones((2, len(origins), 1))), origins, window=(6, 3), shape=(8, 12)))
    assert np.isnan(few.left_out).all()
    assert np.isnan(few.reliability).all()


@pytest.mark.parametrize("size", [0.1, 0.2, 1.0, 3.0])
def test_an_independent_errors_correlation_is_told_exactly(size: float) -> None:
    rng = np.random.default_rng(0)
    true, error = rng.normal(size=(1, 300, 300)), size * rng.normal(size=(1, 300, 300))
    variance = np.full(true.shape, size**2)
    told = reliability(true + error, 0.75 * variance, 0.25 * variance)[0]
    # but for the chance of 90,000 numbers
    assert told == pytest.approx(np.corrcoef(true.ravel(), (true + error).ravel())[0, 1], abs=0.01)
    missing = true + error
    missing[:, :10] = np.nan
    assert reliability(missing, variance, 0.0)[0] == pytest.approx(told, abs=0.01)


def test_of_noise_and_of_one_value_everywhere_nothing_is_promised() -> None:
    noise = np.random.default_rng(0).normal(size=(1, 200, 200))
    assert reliability(noise, np.ones(noise.shape), 0.0)[0] < 0.1
    flat = np.full((1, 8, 8), 1.2345678) * (1 + 1e-16 * noise[:, :8, :8])
    assert np.isnan(reliability(flat, np.ones(flat.shape), 0.0)[0])
    both = np.stack([noise[0], np.full(noise.shape[1:], np.nan)])
    assert np.isfinite(reliability(both, np.full(both.shape, 0.1), 0.0)).tolist() == [True, False]


def test_a_window_without_a_number_leaves_the_others_errors_known() -> None:
    origins = windows.grid((30, 30), window=(4, 4), stride=2)
    values = np.random.default_rng(0).normal(size=(len(origins), 1))
    values[0] = np.nan
    maps = interpolated(Grid.of(Difference(values, 0.1 + 0 * values), origins, window=(4, 4), shape=(30, 30)))
    assert np.isfinite(maps.reliability).all()
    assert np.isnan(maps.relevance).sum() == 25
    assert np.isnan(maps.left_out).sum() < 50
