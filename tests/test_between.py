"""Evidence interpolated between windows, against scipy's interpolation and `windows.spread` at stride 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, photo
from scipy.interpolate import RegularGridInterpolator

import predicdiff as pd
from predicdiff import windows
from predicdiff.between import BETWEEN, Grid
from predicdiff.errors import SettingsError
from predicdiff.evidence import Difference
from predicdiff.precision import interpolated
from predicdiff.samplers.grey import GreyPatch

SHAPES = [((12, 17), (4, 4), 3), ((9, 10), (3, 5), 2), ((8, 8), (8, 8), 4), ((13, 7), (5, 2), 2)]


def everywhere(values: np.ndarray, origins: np.ndarray, window: Any, shape: Any) -> np.ndarray:
    """The map (H, W) of a value a window: interpolated to all places, then averaged over the windows on each pixel."""
    starts = [np.unique(column) for column in origins.T]
    places = windows.grid(shape, window=window)
    grid = values.reshape([len(start) for start in starts])
    for axis, start in enumerate(starts):
        if len(start) == 1:  # scipy wants two points
            starts[axis], grid = np.array([start[0], start[0] + 1]), np.repeat(grid, 2, axis=axis)
    return windows.spread(RegularGridInterpolator(starts, grid)(places), places, window=window, shape=shape)


@pytest.mark.parametrize(("shape", "window", "stride"), SHAPES)
def test_it_is_what_all_windows_would_give_were_evidence_linear_between(shape: Any, window: Any, stride: int) -> None:
    origins = windows.grid(shape, window=window, stride=stride)
    rng = np.random.default_rng(0)
    values, variances = rng.normal(size=(len(origins), 2)), rng.uniform(1, 2, (len(origins), 2))
    maps = interpolated(Grid.of(Difference(values, variances), origins, window=window, shape=shape))
    for target in range(2):
        wanted = everywhere(values[:, target], origins, window, shape)
        np.testing.assert_allclose(maps.relevance[target], wanted, rtol=0, atol=1e-12)
    # each window's draws are its own: its variance counts with the square of its weight
    parts = [everywhere(one, origins, window, shape) for one in np.eye(len(origins))]
    wanted = np.sqrt(sum(part**2 * variance for part, variance in zip(parts, variances[:, 1])))
    np.testing.assert_allclose(maps.stderr[1], wanted, rtol=1e-12)


def test_windows_without_a_number_leave_holes_where_they_count() -> None:
    origins = windows.grid((12, 12), window=(4, 4), stride=4)
    values = np.ones((len(origins), 1))
    values[0] = np.nan
    difference = Difference(values, np.full_like(values, np.nan))
    maps = interpolated(Grid.of(difference, origins, window=(4, 4), shape=(12, 12)))
    counts = everywhere(np.isnan(values[:, 0]).astype(float), origins, (4, 4), (12, 12)) > 0
    np.testing.assert_array_equal(np.isnan(maps.relevance[0]), counts)
    assert 16 < counts.sum() < 12 * 12
    assert np.isnan(maps.stderr).all()


def test_a_map_is_exact_where_evidence_is_linear_in_place() -> None:
    """A linear net whose weights rise from pixel to pixel, on a plain image under a plain patch."""
    row, column = np.mgrid[:12, :15]
    net = LinearNet(np.stack([row + 2.0 * column, 3.0 - column])[:, None])
    asked: dict[str, Any] = {"window": 4, "samples": 1, "blob": "scores", "units": [0, 1]}
    image = np.full((1, 12, 15), 7.0, np.float32)
    true = pd.explain(net, image, GreyPatch(2.0), **asked)
    coarse = pd.explain(net, image, GreyPatch(2.0), **asked, stride=4)
    np.testing.assert_allclose(coarse.relevance, true.relevance, rtol=1e-5)
    assert coarse.settings["between"] == "linear"
    steps = pd.explain(net, image, GreyPatch(2.0), **asked, stride=4, between="none")
    assert np.abs(steps.relevance - true.relevance).max() > 1
    assert "between" not in steps.settings


def test_at_stride_1_there_is_nothing_between() -> None:
    image, asked = photo((2, 9, 10), 1), {"window": 3, "samples": 2, "units": [0]}
    none, linear = (pd.explain(MapNet((2, 9, 10)), image, NormalSampler(), between=how, **asked) for how in BETWEEN)
    np.testing.assert_array_equal(none.relevance, linear.relevance)
    assert none.settings == linear.settings


def test_other_ways_are_refused() -> None:
    with pytest.raises(SettingsError, match="between = 'cubic' is unknown: want none or linear"):
        pd.explain(MapNet((2, 9, 10)), photo((2, 9, 10)), NormalSampler(), window=3, between="cubic")
