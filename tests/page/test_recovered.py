"""Windows' evidence, got back from maps that were averaged of it by what `explain` averages with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.results import made

from predicdiff import windows
from predicdiff.between import Grid
from predicdiff.evidence import Difference
from predicdiff.page.recovered import evidence_of, window_of
from predicdiff.precision import interpolated


def map_of(values: np.ndarray, window: tuple[int, int], stride: Any, shape: tuple[int, int], linear: bool) -> Any:
    origins = windows.grid(shape, window=window, stride=stride)
    if linear:
        where: dict[str, Any] = {"window": window, "shape": shape}
        return interpolated(Grid.of(Difference(values, np.zeros_like(values)), origins, **where)).relevance
    return windows.spread(values, origins, window=window, shape=shape)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize(
    ("window", "stride", "shape"),
    [
        ((3, 4), 1, (12, 18)),
        ((3, 4), 3, (13, 19)),
        ((5, 2), (4, 1), (40, 21)),
        ((1, 1), 1, (3, 4)),
        ((6, 6), 6, (12, 18)),
    ],
)
def test_what_each_window_said_comes_back(window: Any, stride: Any, shape: Any, linear: bool) -> None:
    origins = windows.grid(shape, window=window, stride=stride)
    values = np.random.default_rng(0).normal(size=(len(origins), 2))
    relevance = map_of(values, window, stride, shape, linear)
    settings = {"window": list(window), "stride": stride, **({"between": "linear"} if linear else {})}
    found = evidence_of(made(relevance=relevance, stderr=relevance * 0, settings=settings))
    assert found is not None
    np.testing.assert_array_equal(np.unique(origins[:, 0]), found.rows)
    np.testing.assert_array_equal(np.unique(origins[:, 1]), found.columns)
    wanted = values.T.reshape(2, len(found.rows), len(found.columns))
    np.testing.assert_allclose(found.values, wanted, atol=1e-9)


def test_windows_of_a_region_lie_in_it() -> None:
    values = np.random.default_rng(1).normal(size=(len(windows.grid((8, 9), window=3)), 2))
    whole = np.full((2, 20, 30), np.nan)
    whole[:, 5:13, 7:16] = map_of(values, (3, 3), 1, (8, 9), False)
    found = evidence_of(made(relevance=whole, stderr=np.abs(whole), settings={"window": 3, "stride": 1}))
    assert found is not None
    assert (found.rows.tolist(), found.columns.tolist()) == (list(range(5, 11)), list(range(7, 14)))
    np.testing.assert_allclose(found.values, values.T.reshape(2, 6, 7), atol=1e-10)


def test_a_map_of_another_making_tells_no_windows() -> None:
    assert evidence_of(made()) is None
    assert evidence_of(made(relevance=np.random.default_rng(0).normal(size=(2, 12, 18)))) is None
    assert evidence_of(made(relevance=np.full((2, 12, 18), np.nan))) is None


@pytest.mark.parametrize(
    "settings",
    [{}, {"window": "all", "stride": 1}, {"window": 3}, {"window": 3, "stride": 4}, {"window": 99, "stride": 1}],
)
def test_settings_of_any_kind_are_taken(settings: Any) -> None:
    assert evidence_of(made(relevance=np.zeros((2, 12, 18)), settings=settings)) is None


def test_segments_are_no_windows() -> None:
    assert window_of(made(segments=np.zeros((12, 18), np.int64))) is None
    assert window_of(made()) == (3, 4)
