"""The method against explicit loops over every window, every draw and every pixel."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers.one_at_a_time import Function, bits, bits_against, gap, one_at_a_time, value
from helpers.oracle_nets import MapNet, NormalSampler, photo

from predicdiff.algorithm import explain
from predicdiff.samplers.marginal import MarginalSampler


def look(net: Any, blob: str, units: Any, pixels: np.ndarray) -> list[float]:
    activations = net.forward(net.encode(pixels)[None], [blob])[blob][0]
    return [float(np.mean(activations[unit], dtype=np.float64)) for unit in units]


def by_loops(
    net: Any, image: np.ndarray, sampler: Any, *, blob: str, units: Any, **how: Any
) -> tuple[np.ndarray, np.ndarray]:
    return one_at_a_time(partial(look, net, blob, units), image, sampler, **how)


def agree(values: np.ndarray, wanted: np.ndarray) -> None:
    """To float32's rounding of the net's values, amplified by the logarithm."""
    np.testing.assert_allclose(values, wanted, rtol=2e-4, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 2), (3, 1), (4, 3), (6, 1), ((2, 5), 2), ((3, 1), 1)])
def test_every_window_by_loops(window: Any, stride: int) -> None:
    net, image = MapNet((2, 6, 8), seed=1), photo((2, 6, 8), 2)
    settings: dict[str, Any] = {"window": window, "samples": 3, "stride": stride, "seed": 5}
    result = explain(net, image, NormalSampler(), units=[2, 0], **settings)
    for target, unit in enumerate([2, 0]):
        relevance, stderr = by_loops(
            net, image, NormalSampler(), blob="prob", units=[unit], function=bits(10_000, 4), **settings
        )
        agree(result.relevance[target], relevance)
        agree(result.stderr[target], stderr)
    assert result.unit == "bits"
    assert result.settings["window"] == (window if isinstance(window, int) else list(window))


def test_samplers_of_others_see_one_number_where_the_window_is_square() -> None:
    asked = []

    class Stranger(NormalSampler):
        def draw(self, *args: Any, window: Any, **how: Any) -> np.ndarray:
            asked.append(window)
            return super().draw(*args, window=window, **how)

    net, image = MapNet((1, 5, 6), seed=5), photo((1, 5, 6), 6)
    maps = [explain(net, image, Stranger(), window=window, samples=2) for window in (3, (3, 3), [3, 3], (3, 2))]
    assert list(dict.fromkeys(asked)) == [3, (3, 2)]
    assert type(asked[0]) is int
    np.testing.assert_array_equal(maps[0].relevance, maps[1].relevance)
    assert maps[0].settings == maps[1].settings == maps[2].settings


@pytest.mark.parametrize(
    ("asked", "blob", "units", "function", "kind"),
    [
        ({"blob": "scores", "units": [1]}, "scores", [1], value, "activation"),
        ({"blob": "scores", "units": [1], "against": 3}, "scores", [1, 3], gap, "activation"),
        ({"blob": "maps", "units": [(1, 2, 2)]}, "maps", [(1, 2, 2)], value, "activation"),
        ({"blob": "maps", "channels": [2]}, "maps", [2], value, "activation"),
        ({"blob": "maps", "channels": [2], "against": 0}, "maps", [2, 0], gap, "activation"),
        ({"blob": "data", "channels": [1]}, "data", [1], value, "activation"),
        ({"units": [1], "measure": "activation"}, "prob", [1], value, "activation"),
        ({"units": [1], "against": 3, "measure": "activation"}, "prob", [1, 3], gap, "activation"),
        ({"units": [1], "against": 3}, "prob", [1, 3], bits_against(10_000, 4), "bits"),
        ({"units": [1], "training_instances": 7}, "prob", [1], bits(7, 4), "bits"),
        ({"units": [1], "against": 3, "training_instances": 7}, "prob", [1, 3], bits_against(7, 4), "bits"),
    ],
)
def test_every_kind_of_target_by_loops(asked: Any, blob: str, units: Any, function: Function, kind: str) -> None:
    class WithData(MapNet):
        def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
            return {"data": inputs, **super().compute(inputs)}

    net, image = WithData((3, 6, 5), seed=3), photo((3, 6, 5), 4)
    settings: dict[str, Any] = {"window": 3, "samples": 4, "stride": 2, "seed": 8}
    result = explain(net, image, NormalSampler(), **asked, **settings)
    relevance, stderr = by_loops(net, image, NormalSampler(), blob=blob, units=units, function=function, **settings)
    agree(result.relevance[0], relevance)
    agree(result.stderr[0], stderr)
    assert result.unit == kind


def test_the_top_classes_by_loops() -> None:
    net, image = MapNet((1, 5, 6), seed=5), photo((1, 5, 6), 6)
    settings: dict[str, Any] = {"window": 2, "samples": 3, "stride": 1, "seed": 0}
    result = explain(net, image, NormalSampler(), top=2, **settings)
    prob = net.forward(image[None], ["prob"])["prob"][0]
    first, second = sorted(range(4), key=lambda i: -prob[i])[:2]
    np.testing.assert_allclose(result.base, [prob[first], prob[second]], rtol=1e-6)
    for target, unit in enumerate([first, second]):
        relevance, _ = by_loops(
            net, image, NormalSampler(), blob="prob", units=[unit], function=bits(10_000, 4), **settings
        )
        agree(result.relevance[target], relevance)


def test_outcomes_of_a_sigmoid_by_loops() -> None:
    """Independent yes-or-no outputs: K is 2 however many there are."""
    net, image = MapNet((1, 5, 6), seed=5), photo((1, 5, 6), 6)
    net.outcomes = 2  # type: ignore[attr-defined]
    net.training_instances = 10  # so small a number that K matters
    settings: dict[str, Any] = {"window": 2, "samples": 3, "stride": 1, "seed": 0}
    result = explain(net, image, NormalSampler(), units=[1], **settings)
    relevance, _ = by_loops(net, image, NormalSampler(), blob="prob", units=[1], function=bits(10, 2), **settings)
    agree(result.relevance[0], relevance)


def test_a_part_of_a_corpus_by_loops() -> None:
    """The corpus holds the image itself: 6 others, of which 4 are drawn, leave a third of the variance."""
    net, images = MapNet((2, 5, 6), seed=7), np.stack([photo((2, 5, 6), i) for i in range(7)])
    settings: dict[str, Any] = {"window": 2, "samples": 4, "stride": 2, "seed": 1}
    sampler = MarginalSampler(images)
    result = explain(net, images[3], sampler, units=[1], **settings)
    relevance, stderr = by_loops(
        net, images[3], sampler, blob="prob", units=[1], function=bits(10_000, 4), population=6, **settings
    )
    agree(result.relevance[0], relevance)
    agree(result.stderr[0], stderr)
