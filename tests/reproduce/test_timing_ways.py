"""The ways that are timed, held against explicit loops and each other."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import numpy as np
import pytest
from helpers import oracle_nets

from predicdiff.images import View
from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.plan import Analysis
from predicdiff.samplers.marginal import MarginalSampler

torch = pytest.importorskip("torch")

from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402

SHAPE = (3, 24, 24)


@pytest.fixture
def ways(module: Callable[[str], Any]) -> Any:
    return module("timing_ways")


def tiny(data: Path) -> CaffeTorchNet:
    """A net whose mean differs from place to place, so that a patch encoded elsewhere shows."""
    mean = np.random.default_rng(5).uniform(90, 130, SHAPE).astype(np.float32)
    return CaffeTorchNet(
        read_prototxt(data / "tiny_v1.prototxt"),
        read_caffemodel(data / "tiny_v1.caffemodel"),
        preprocessing=Preprocessing(view=View(mode="warp", size=24), channels="bgr", mean=mean),
        device="cpu",
    )


@pytest.fixture
def timed(module: Callable[[str], Any], data: Path) -> Any:
    return module("timing_nets").Timed("tiny", tiny(data), "own", data / "tiny_v1.prototxt")


@pytest.fixture
def analysis(timed: Any) -> Analysis:
    random = np.random.default_rng(6)
    pixels = random.uniform(0, 255, SHAPE).astype(np.float32)
    sampler = MarginalSampler(random.uniform(0, 255, (9, *SHAPE)).astype(np.float32))
    whole = oracle_nets.analysis(timed.net, pixels, sampler, window=10, samples=7, stride=1)
    return replace(whole, origins=whole.origins[[0, 224, 101, 17, 43, 200]])


def by_loops(analysis: Analysis, patches: np.ndarray, blob: str) -> np.ndarray:
    """All units' values (n, S, T), one image at a time."""
    net: Any = analysis.net
    values = np.empty((*patches.shape[:2], 5))
    for i, (row, column) in enumerate(analysis.origins[: len(patches)].tolist()):
        for s, patch in enumerate(patches[i]):
            pixels = analysis.pixels.copy()
            pixels[:, row : row + 10, column : column + 10] = patch
            values[i, s] = net.forward(net.encode(pixels)[None], [blob])[blob][0]
    return values


@pytest.mark.parametrize("way", ["naive", "dense", "incremental"])
def test_each_way_gives_what_loops_give(way: str, ways: Any, timed: Any, analysis: Analysis) -> None:
    evaluate, missing = ways.evaluators(timed, analysis, "not installed")
    patches = analysis.draw(slice(0, 6))  # 42 evaluations: a whole batch, and part of one
    values = evaluate[way](analysis.origins, patches, "fc", [(unit,) for unit in range(5)])
    wanted = by_loops(analysis, patches, "fc")
    np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    assert missing == {"pycaffe": "not installed"}


def test_the_dense_way_does_all_multiply_adds_and_the_incremental_one_fewer(
    ways: Any, module: Callable[[str], Any], timed: Any, analysis: Analysis
) -> None:
    timing = module("timing")
    evaluate, _ = ways.evaluators(timed, analysis, "not installed")
    timed_windows = ways.TimedWindows(timed, analysis, 2)
    turns, _ = ways.turns(timed_windows, evaluate)
    dense, mine = (timing.multiply_adds(timed.net, turns[way]) for way in ("dense", "incremental"))
    convolutions = 8 * 75 * 100 + 6 * 36 * 25 + 4 * 8 * 25  # outputs x weights of each x places
    assert dense["done"] == dense["dense"] == mine["dense"] == convolutions + 5 * 90
    assert 0 < mine["done"] < mine["dense"]


def test_slow_ways_take_fewer_windows(ways: Any, timed: Any, analysis: Analysis) -> None:
    evaluate, _ = ways.evaluators(timed, analysis, "not installed")
    turns, _ = ways.turns(ways.TimedWindows(timed, analysis, 2), evaluate)
    counts = {way: turns[way]() for way in ("naive", "dense", "incremental", "sampling")}
    assert counts == {"naive": 14, "dense": 14, "incremental": 42, "sampling": 42}


def test_agreement_is_within_rounding(ways: Any, timed: Any, analysis: Analysis) -> None:
    evaluate, _ = ways.evaluators(timed, analysis, "not installed")
    worst = ways.check_agreement("tiny", analysis, evaluate)
    assert 0 <= worst["scores"] < 1e-5
    assert 0 <= worst["changes"] < 1e-3


def shifted(values: np.ndarray) -> np.ndarray:
    return values + 0.01 * np.abs(values).max()


def lost(values: np.ndarray) -> np.ndarray:
    return values * np.nan


@pytest.mark.parametrize("wrong", [shifted, lost])
def test_another_way_that_disagrees_is_refused(wrong: Any, ways: Any, timed: Any, analysis: Analysis) -> None:
    evaluate, _ = ways.evaluators(timed, analysis, "not installed")
    right = evaluate["incremental"]
    evaluate["incremental"] = lambda *asked: wrong(right(*asked))
    with pytest.raises(ways.DisagreementError, match=r"tiny: incremental .* largest of the scores, .* no time is"):
        ways.check_agreement("tiny", analysis, evaluate)


def test_a_way_that_sees_no_windows_is_refused_though_they_change_little(
    ways: Any, timed: Any, analysis: Analysis
) -> None:
    net: Any = timed.net
    base = net.forward(net.encode(analysis.pixels)[None], ["fc"])["fc"]
    evaluate, _ = ways.evaluators(timed, analysis, "not installed")

    def faint(origins: np.ndarray, patches: np.ndarray, blob: str, units: Any) -> np.ndarray:
        values: np.ndarray = base + 1e-5 * (by_loops(analysis, patches, blob) - base)
        return values

    blind = {"naive": faint, "dense": lambda _, patches, *__: np.broadcast_to(base, (*patches.shape[:2], 5))}
    with pytest.raises(ways.DisagreementError, match=r"dense .* of the largest of the changes"):
        ways.check_agreement("tiny", analysis, {**evaluate, **blind})


def test_caffe_gets_the_weights_and_the_inputs(
    ways: Any, timed: Any, analysis: Analysis, caffe_python: list[str]
) -> None:
    with ways.caffe_there(timed, caffe_python) as caffe:
        evaluate, missing = ways.evaluators(timed, analysis, caffe)
        assert missing == {}
        assert ways.check_agreement("tiny", analysis, evaluate)["scores"] < 1e-5
        patches = analysis.draw(slice(0, 6))
        values = evaluate["pycaffe"](analysis.origins, patches, "prob", [(3,), (1,)])
    np.testing.assert_allclose(values, by_loops(analysis, patches, "prob")[..., [3, 1]], rtol=1e-4, atol=1e-6)


def test_what_is_not_there_is_said(ways: Any, timed: Any, analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("captum", "captum.attr"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with ways.caffe_there(timed, None) as caffe:
        assert caffe == "not installed"
    with ways.caffe_there(SimpleNamespace(prototxt=None), ["false"]) as caffe:
        assert caffe == "not a Caffe net"
    assert ways.occlusion(ways.TimedWindows(timed, analysis, 2)) == "not installed"


def test_caffe_on_the_cpu_is_not_held_against_a_gpu(ways: Any, timed: Any, caffe_python: list[str]) -> None:
    timed.net.device = torch.device("cuda")
    with ways.caffe_there(timed, caffe_python) as caffe:
        assert caffe == "built for the CPU alone"


def test_dense_passes_get_the_batch_that_their_memory_allows(
    ways: Any, timed: Any, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    analysis = replace(analysis, abilities=replace(analysis.abilities, preferred_batch=10**6))
    monkeypatch.setattr(
        CaffeTorchNet, "evaluate", lambda net, *_, batch_size, **__: seen.update({net.incremental: batch_size})
    )
    evaluate, _ = ways.evaluators(timed, analysis, "not installed")
    for way in ("dense", "incremental"):
        evaluate[way](analysis.origins, None, "fc", [])
    assert seen[False] < seen[True]


def test_captum_takes_about_as_many_evaluations(ways: Any, timed: Any, analysis: Analysis) -> None:
    pytest.importorskip("captum")
    for few in (1, 2, 6):
        run = ways.occlusion(ways.TimedWindows(timed, analysis, few))
        assert few * 7 <= run() <= 4 * few * 7
        assert run() == run()


@pytest.mark.parametrize("evaluations", [1, 2, 40, 160, 640, 10_000, 10**6])
@pytest.mark.parametrize("length", [11, 24, 224, 227])
def test_a_grid_has_about_as_many_windows_as_asked(length: int, evaluations: int, ways: Any) -> None:
    stride = ways.grid_stride(length, 10, evaluations)
    assert stride >= 1
    side = -(-(length - max(10, stride)) // stride) + 1  # as Captum lays them
    wanted = min(np.sqrt(evaluations), length - 10 + 1)
    assert wanted - 1 < side <= 2 * wanted + 1
