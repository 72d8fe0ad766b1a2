"""The method against explicit loops over every window, every draw and every pixel."""

from __future__ import annotations

import statistics
from math import log2
from typing import Any, Callable, Sequence

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, photo

from predicdiff.algorithm import explain
from predicdiff.samplers.marginal import MarginalSampler
from predicdiff.samplers.registry import Recipe, find

Function = Callable[[Sequence[float]], float]


def bits(n: int, k: int) -> Function:
    """Log-odds of p after Laplace's correction."""

    def function(p: Sequence[float]) -> float:
        corrected = (p[0] * n + 1) / (n + k)
        return log2(corrected / (1 - corrected))

    return function


def bits_against(n: int, k: int) -> Function:
    return lambda p: log2((p[0] * n + 1) / (p[1] * n + 1))


def starts(size: int, window: int, stride: int) -> list[int]:
    return [i for i in range(size - window + 1) if i % stride == 0 or i == size - window]


def by_loops(
    net: Any, image: np.ndarray, sampler: Any, *, window: Any, samples: int, stride: int, blob: str,
    units: Sequence[Any], function: Function, seed: int, population: Any = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Relevance and standard error (H, W) of one target, window by window and pixel by pixel.

    The units' values over the draws are averaged, then ``function`` is taken of the averages; the variance is that of
    the function's linear part, whose slopes are found by finite differences.
    """
    (height, width), (high, wide) = image.shape[1:], np.broadcast_to(window, 2)
    values: dict[tuple[int, int], list[float]] = {(r, c): [] for r in range(height) for c in range(width)}
    variances: dict[tuple[int, int], list[float]] = {(r, c): [] for r in range(height) for c in range(width)}

    def look(pixels: np.ndarray) -> list[float]:
        activations = net.forward(net.encode(pixels)[None], [blob])[blob][0]
        return [float(np.mean(activations[unit], dtype=np.float64)) for unit in units]

    before = function(look(image))
    for row in starts(height, high, stride):
        for column in starts(width, wide, stride):
            draws = sampler.draw(image, np.array([[row, column]]), window=window, samples=samples, seed=seed)[0]
            seen = []
            for draw in draws:
                changed = image.copy()
                changed[:, row : row + high, column : column + wide] = draw
                seen.append(look(changed))
            mean = [statistics.fmean(one) for one in zip(*seen)]
            slopes = []
            for i in range(len(mean)):
                step = 1e-6 * max(abs(mean[i]), 1e-3)
                up, down = list(mean), list(mean)
                up[i] += step
                down[i] -= step
                slopes.append((function(up) - function(down)) / (2 * step))
            influence = [sum(s * v for s, v in zip(slopes, one)) for one in seen]
            variance = statistics.variance(influence) / len(seen)
            if population is not None:
                variance *= 1 - len(seen) / population
            for r in range(row, row + high):
                for c in range(column, column + wide):
                    values[r, c].append(before - function(mean))
                    variances[r, c].append(variance)
    relevance, stderr = np.empty((height, width)), np.empty((height, width))
    for (r, c), held in values.items():
        relevance[r, c] = sum(held) / len(held)
        stderr[r, c] = sum(variances[r, c]) ** 0.5 / len(held)
    return relevance, stderr


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


@pytest.mark.parametrize("name", ["marginal", "conditional", "grey"])
def test_rectangles_of_each_sampler_by_loops(name: str) -> None:
    net, images = MapNet((2, 6, 8), seed=1), np.stack([photo((2, 6, 8), seed) for seed in range(9)])
    settings: dict[str, Any] = {"window": (2, 3), "samples": 3, "stride": 2, "seed": 5}
    sampler = find(name).make(images[1:], Recipe(context=(4, 5), patches=2000))
    result = explain(net, images[0], sampler, units=[2], measure="activation", **settings)
    relevance, _ = by_loops(
        net, images[0], _AtLeastTwo(sampler), blob="prob", units=[2], function=lambda v: v[0], **settings
    )
    agree(result.relevance[0], relevance)


class _AtLeastTwo:
    """A variance takes two draws: one is given twice."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def draw(self, *asked: Any, **how: Any) -> np.ndarray:
        draws = self.sampler.draw(*asked, **how)
        return draws if draws.shape[1] > 1 else np.repeat(draws, 2, axis=1)


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
        ({"blob": "scores", "units": [1]}, "scores", [1], lambda v: v[0], "activation"),
        ({"blob": "scores", "units": [1], "against": 3}, "scores", [1, 3], lambda v: v[0] - v[1], "activation"),
        ({"blob": "maps", "units": [(1, 2, 2)]}, "maps", [(1, 2, 2)], lambda v: v[0], "activation"),
        ({"blob": "maps", "channels": [2]}, "maps", [2], lambda v: v[0], "activation"),
        ({"blob": "maps", "channels": [2], "against": 0}, "maps", [2, 0], lambda v: v[0] - v[1], "activation"),
        ({"blob": "data", "channels": [1]}, "data", [1], lambda v: v[0], "activation"),
        ({"units": [1], "measure": "activation"}, "prob", [1], lambda v: v[0], "activation"),
        ({"units": [1], "against": 3, "measure": "activation"}, "prob", [1, 3], lambda v: v[0] - v[1], "activation"),
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
