"""Methods by name give what their own functions give."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, photo

from predicdiff.algorithm import explain
from predicdiff.errors import SettingsError, WindowError
from predicdiff.judging.faithfulness import faithfulness
from predicdiff.methods.method import Method
from predicdiff.methods.prepared import default_sampler, prepare
from predicdiff.methods.random_map import noise
from predicdiff.methods.registry import DIFFERENCE, METHODS, make_methods

SHAPE = (3, 8, 9)
WINDOWS: dict[str, Any] = {"window": 3, "samples": 2, "stride": 2}
HOW: dict[str, Any] = {"sampler": None, **WINDOWS, "seed": 0}


class Known(LinearNet):
    """Its gradient is its weights."""

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: Any) -> np.ndarray:
        return self.weights[unit[0]] if blob == "scores" else np.zeros(SHAPE)


def net() -> Known:
    return Known(np.random.default_rng(0).normal(0, 0.001, (4, *SHAPE)))


def test_all_come_in_the_order_of_tables() -> None:
    methods = make_methods(sampler=NormalSampler(), **WINDOWS)
    assert tuple(methods) == ("prediction difference", "occlusion", "sensitivity", "random")


def test_a_method_of_ones_own_takes_a_line_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    def size(net: Any, pixels: np.ndarray, unit: Any, seed: int, *, window: int) -> np.ndarray:
        return np.full(pixels.shape[1:], window)

    monkeypatch.setitem(METHODS, "size", Method("size", size, needs=("window",)))
    assert make_methods(["size"], window=7)["size"](net(), photo(SHAPE), (0,), 0)[0, 0] == 7
    study = faithfulness(net(), {"one": photo(SHAPE)}, sampler=NormalSampler(), steps=3, block=4, **WINDOWS)
    assert study.methods[-1] == "size"
    assert "size" in study.table()


def test_noise_is_another_for_each_picture_and_seed() -> None:
    maps = [noise(net(), photo(SHAPE, picture), (0,), seed) for picture in (1, 2) for seed in (3, 4)]
    assert len({one.tobytes() for one in maps}) == 4
    np.testing.assert_array_equal(maps[0], noise(net(), photo(SHAPE, 1), (1,), 3))
    assert maps[0].shape == SHAPE[1:]
    assert 0 <= maps[0].min() < maps[0].max() < 1


def test_of_a_net_that_is_sure_nothing_is_warned() -> None:
    sure = Known(np.zeros((4, *SHAPE)))
    sure.bias = np.array([20.0, 0, 0, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_methods([DIFFERENCE], sampler=NormalSampler(), **WINDOWS)[DIFFERENCE](sure, photo(SHAPE), (0,), 0)


def test_without_a_sampler_the_bundled_photographs_serve() -> None:
    ready = prepare(net(), [DIFFERENCE, "random"], **HOW)
    wanted = default_sampler(net(), window=3, seed=0)
    assert wanted.context == 7
    assert ready.provenance == wanted.provenance
    assert ready.windows == WINDOWS
    pixels = photo(SHAPE)
    relevance = ready.map(DIFFERENCE, net(), pixels, (1,), 6)
    alone = explain(net(), pixels, wanted, units=[1], seed=6, between="none", **WINDOWS)
    np.testing.assert_array_equal(relevance, alone.relevance[0])


def test_where_none_is_needed_none_is_fitted() -> None:
    ready = prepare(net(), ["occlusion"], **HOW)
    assert ready.sampler is None
    assert ready.provenance is None


@pytest.mark.parametrize("name", ["prediction difference", "occlusion"])
def test_a_window_that_does_not_fit_is_refused_before_a_sampler_is_fitted(name: str) -> None:
    with pytest.raises(WindowError, match="window k = 500 does not fit"):
        prepare(net(), [name], **{**HOW, "window": 500})


def test_functions_are_taken_as_they_are() -> None:
    ready = prepare(net(), {"brightness": lambda net, pixels, unit, seed: pixels.sum(axis=0)}, **HOW)
    np.testing.assert_allclose(ready.map("brightness", net(), photo(SHAPE), (0,), 0), photo(SHAPE).sum(axis=0))
    assert ready.windows is None


def spoil(net: Any, pixels: np.ndarray, unit: Any, seed: int) -> np.ndarray:
    pixels[:] = 0
    return pixels[0]


def test_a_method_cannot_change_the_picture() -> None:
    pixels = photo(SHAPE)
    prepare(net(), {"spoil": spoil}, **HOW).map("spoil", net(), pixels, (0,), 0)
    np.testing.assert_array_equal(pixels, photo(SHAPE))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="method 'gradcam' is unknown: want some of prediction difference, occl"):
        make_methods(["random", "gradcam"])
    with pytest.raises(SettingsError, match="no method came: want some of prediction difference, occlusion"):
        make_methods([])
    with pytest.raises(SettingsError, match="'prediction difference' wants a sampler"):
        make_methods([DIFFERENCE])
    with pytest.raises(SettingsError, match="no method came"):
        prepare(MapNet(SHAPE), {}, **HOW)
    for wrong in (np.zeros((9, 8)), np.full(SHAPE[1:], np.nan)):
        ready = prepare(net(), {"mine": lambda *_, wrong=wrong: wrong}, **HOW)
        with pytest.raises(SettingsError, match=r"method 'mine' gave a map of shape .*, or NaN: want numbers \(8, 9\)"):
            ready.map("mine", net(), photo(SHAPE), (0,), 0)
