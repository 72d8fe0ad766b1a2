"""What a run tells on its way and of itself: progress, warnings, the result's settings and provenance, refusals."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, photo

from predicdiff._version import __version__
from predicdiff.algorithm import explain
from predicdiff.errors import (
    BlobError,
    ConfidenceWarning,
    ExplanationError,
    ImageError,
    SamplerError,
    SettingsError,
    WindowError,
)
from predicdiff.explanation import Explanation
from predicdiff.samplers.gaussian import GaussianSampler

SHAPE = (2, 9, 10)
IMAGE = photo(SHAPE, 1)


def explained(net: Any = None, image: Any = IMAGE, sampler: Any = None, **settings: Any) -> Explanation:
    net = MapNet(SHAPE, gain=0.4) if net is None else net
    settings = {"window": 3, "samples": 7, "units": [0, 2], "batch_size": 16, **settings}
    return explain(net, image, NormalSampler() if sampler is None else sampler, **settings)


# ------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_progress_rises_to_the_number_of_windows(stride: int) -> None:
    told: list[tuple[int, int]] = []
    explained(stride=stride, samples=60, progress=lambda done, total: told.append((done, total)))
    total = len(range(0, 7, stride)) * len({*range(0, 8, stride), 7})
    assert {one[1] for one in told} == {total}
    done = [one[0] for one in told]
    assert done == sorted(set(done))
    assert 0 < done[0] <= 6
    assert done[-1] == total


def test_a_progress_that_stops_the_run_stops_it() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt("enough")

    with pytest.raises(KeyboardInterrupt, match="enough"):
        explained(progress=stop)


# ------------------------------------------------------------------------------------- a confident net


def sure(p: float, classes: int = 1000) -> LinearNet:
    """A net that gives class 1 the probability p, and others their part of the rest; K and N are those of ILSVRC."""
    bias = np.zeros(classes)
    bias[1] = np.log(p / (1 - p) * (classes - 1))
    net = LinearNet(np.zeros((classes, *SHAPE)), bias)
    net.training_instances = 1_281_167
    return net


def test_a_confident_net_is_told_and_shown_the_way() -> None:
    with pytest.warns(ConfidenceWarning, match=r"p = 0\.99950.*pre-softmax blob instead: blob='scores'"):
        result = explained(sure(0.9995), units=None)
    assert any("blob='scores'" in note for note in result.notes)


def test_the_warning_points_at_the_callers_line() -> None:
    with pytest.warns(ConfidenceWarning, match="sure") as caught:
        explain(sure(0.9995), IMAGE, NormalSampler(), window=9, samples=2)
    assert [one.filename for one in caught] == [__file__]


def test_a_confident_net_without_scores_is_told_too() -> None:
    net = sure(0.9995)
    net.scores = None
    with pytest.warns(ConfidenceWarning, match="flattens the weight of evidence.$"):
        explained(net, units=[1])


def test_few_training_instances_flatten_what_many_leave() -> None:
    with pytest.warns(ConfidenceWarning, match="flattens"):
        explained(sure(0.97, classes=100), units=[1], training_instances=1000)


@pytest.mark.parametrize(
    ("net", "asked"),
    [
        (sure(0.9985), {"units": None}),
        (sure(0.9995), {"units": [0]}),
        (sure(0.9995), {"units": [1], "blob": "scores"}),
        (sure(0.9995), {"units": [1], "measure": "activation"}),
        (sure(0.9995, classes=2), {"units": [1]}),  # of two classes, Laplace's correction takes next to nothing
        (sure(0.9995), {"units": [1], "against": 0}),  # nor of a ratio of probabilities, at this end
        (sure(0.97, classes=100), {"units": [1]}),
    ],
)
def test_no_warning_without_need(net: Any, asked: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert explained(net, **{"units": [0], **asked}).notes == []


# ------------------------------------------------------------------------------------- what the result says


def test_the_result_says_how_it_was_made() -> None:
    net = MapNet(SHAPE)
    result = explained(net, against=1, seed=6, stride=2, training_instances=500)
    assert result.settings == {
        "window": 3, "samples": 7, "stride": 2, "seed": 6, "blob": "prob", "units": [[0], [2]], "measure": "evidence",
        "against": [1], "training_instances": 500, "classes": 4, "start": None, "channels_apart": False,
        "between": "linear",
    }  # fmt: skip
    assert result.provenance["net"] == net.provenance
    assert result.provenance["sampler"] == "NormalSampler"
    assert result.provenance["versions"]["predicdiff"] == __version__
    assert result.provenance["seconds"] > 0
    json.dumps(result.provenance)
    assert [target.title for target in result.targets] == ["prob[0] rather than prob[1]", "prob[2] rather than prob[1]"]
    assert result.relevance.shape == result.stderr.shape == (2, 9, 10)
    np.testing.assert_allclose(result.base, net.forward(IMAGE[None], ["prob"])["prob"][0, [0, 2]], rtol=1e-6)
    np.testing.assert_array_equal(result.pixels, IMAGE)
    assert not np.shares_memory(result.pixels, IMAGE)


def test_a_samplers_notes_are_handed_on() -> None:
    class Noted(NormalSampler):
        notes = ("The covariance was mended.",)

    assert explained(sampler=Noted()).notes == ["The covariance was mended."]


def test_the_default_is_the_papers() -> None:
    result = explain(LinearNet(np.zeros((2, 1, 10, 10))), np.zeros((1, 10, 10)), NormalSampler())
    assert {name: result.settings[name] for name in ("window", "samples", "stride", "blob", "measure")} == {
        "window": 10, "samples": 20, "stride": 1, "blob": "prob", "measure": "evidence",
    }  # fmt: skip


def test_any_object_with_draw_is_a_sampler() -> None:
    class Grey:
        def draw(self, pixels: Any, origins: Any, *, window: int, samples: int, seed: int) -> np.ndarray:
            return np.full((len(origins), samples, 2, window, window), 128)  # whole numbers, float64 or not

    result = explained(sampler=Grey(), stride=3, between="none")
    net = MapNet(SHAPE, gain=0.4)
    grey = IMAGE.copy()
    grey[:, :3, :3] = 128
    p = [(10_000 * float(net.forward(x[None], ["prob"])["prob"][0, 0]) + 1) / 10_004 for x in (IMAGE, grey)]
    wanted = np.log2(p[0] / (1 - p[0])) - np.log2(p[1] / (1 - p[1]))
    assert result.relevance[0, 1, 1] == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(result.stderr, 0, atol=1e-6)


# ------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("asked", "error", "match"),
    [
        ({"window": 10}, WindowError, "window k = 10 does not fit: want 1 <= k <= 9"),
        ({"stride": 4}, WindowError, "stride = 4 with window k = 3"),
        ({"samples": 0}, SettingsError, "samples S = 0"),
        ({"batch_size": 0}, SettingsError, "batch size 0: want at least 1"),
        ({"batch_size": 2.5}, SettingsError, "batch size 2.5: want at least 1"),
        ({"memory": "4GB"}, SettingsError, "memory = '4GB': want a number of bytes"),
        ({"memory": float("inf")}, SettingsError, "memory = inf: want a number of bytes"),
        ({"sampler": "marginal"}, SamplerError, "the sampler is a str: want a MarginalSampler"),
        ({"sampler": GaussianSampler}, SamplerError, "the sampler is the class GaussianSampler"),
        ({"units": [9]}, BlobError, r"unit 9 is out of range: blob 'prob' has the shape \(4,\)"),
        ({"blob": "map", "units": None, "channels": [0]}, BlobError, "no blob 'map'. Near names: maps"),
        ({"top": 1}, SettingsError, "want one of them"),
        ({"against": 2}, SettingsError, "held against itself"),
        ({"image": np.full(SHAPE, np.nan)}, ImageError, "NaN"),
        ({"image": photo((2, 10, 9))}, ImageError, r"shape \(2, 10, 9\): want pixels \(2, 9, 10\)"),
        ({"sampler": GaussianSampler(np.full((2, 2, 2), 90), np.eye(8))}, WindowError, "l = 2 is smaller than window"),
        ({"sampler": GaussianSampler(np.full((2, 10, 10), 90), np.eye(200))}, WindowError, "l = 10 does not fit"),
        ({"sampler": GaussianSampler(np.full((3, 4, 4), 90), np.eye(48))}, SamplerError, "3 channels"),
        ({"checkpoint": "/dev/null/tiles"}, ExplanationError, "cannot be kept"),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_before_any_evaluation(
    asked: dict[str, Any], error: type[Exception], match: str
) -> None:
    net = MapNet(SHAPE)
    with pytest.raises(error, match=match):
        explained(net, **asked)
    assert len(net.calls) <= 1, "the net's trial on two draws is all"
