"""The parameter-randomisation check: what it finds of maps that read the net's weights, and of those that do not."""

from __future__ import annotations

import json
import statistics
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, NormalSampler

torch = pytest.importorskip("torch")

from predicdiff.errors import SettingsError  # noqa: E402
from predicdiff.judging.random_weights import randomised  # noqa: E402
from predicdiff.judging.randomisation import Randomisation, randomisation  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402

SHAPE = (1, 12, 12)
SMALL: dict[str, Any] = {"window": 2, "samples": 8, "stride": 1}


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with an upright or a lying bar at some place: two classes."""
    random = np.random.default_rng(seed)
    images, kinds = random.uniform(0, 60, (count, *SHAPE)).astype(np.float32), random.integers(0, 2, count)
    for picture, kind in zip(images, kinds):
        row, column = random.integers(1, 6, 2)
        high, wide = (6, 2) if kind else (2, 6)
        picture[0, row : row + high, column : column + wide] += 150
    return images, kinds


@pytest.fixture(scope="module")
def trained() -> ModuleNet:
    """A small net that has learnt to tell the bars apart."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.ReLU(), torch.nn.Conv2d(6, 6, 3), torch.nn.ReLU(),
        torch.nn.MaxPool2d(10), torch.nn.Flatten(), torch.nn.Linear(6, 2),
    )  # fmt: skip
    pictures, kinds = bars(200, 1)
    inputs, targets = torch.tensor(pictures / 100), torch.tensor(kinds)
    optimiser = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(module(inputs), targets).backward()
        optimiser.step()
    with torch.no_grad():  # pixels are 0..255
        module[0].weight /= 100
    net = ModuleNet(module, input_shape=SHAPE, device="cpu", training_instances=10**6)
    held_out, kinds = bars(100, 2)
    assert (net.forward(held_out, ["prob"])["prob"].argmax(1) == kinds).mean() > 0.95
    return net


def pictures(count: int = 3) -> dict[str, np.ndarray]:
    return {f"bar {i}": picture for i, picture in enumerate(bars(count, 3)[0])}


def checked(net: Any, **changes: Any) -> Randomisation:
    return randomisation(net, pictures(), **{"sampler": NormalSampler(), **SMALL, **changes})


@pytest.fixture(scope="module")
def result(trained: ModuleNet) -> Randomisation:
    return checked(trained)


@pytest.mark.parametrize("how", ["permute", "normal"])
def test_prediction_difference_passes(trained: ModuleNet, result: Randomisation, how: str) -> None:
    outcome = checked(trained, how=how) if how != "permute" else result
    assert outcome.layers == ["6", "2", "0"]
    assert outcome.depths == [1, 2, 3]
    assert outcome.passed
    assert outcome.below.all()
    assert outcome.verdict.startswith("Passed")
    assert outcome.seeds_signed.mean() > 0.8
    assert outcome.signed[-1].mean() < 0.5


def test_the_gradient_passes(trained: ModuleNet) -> None:
    result = checked(trained, method="sensitivity")
    assert result.passed
    np.testing.assert_allclose(result.seeds_signed, 1)


def edges(net: Any, pixels: np.ndarray, unit: Any, seed: int) -> np.ndarray:
    """A map that reads no weight: what the check is there to find."""
    return np.abs(np.gradient(pixels[0])).sum(axis=0)


def test_a_detector_of_edges_fails(trained: ModuleNet) -> None:
    result = checked(trained, method=edges)
    np.testing.assert_allclose(result.signed, 1)
    assert not result.passed
    assert not result.below.any()
    assert result.verdict.startswith("Failed: with 1, 2, 3 random layers the map of 'edges'")
    assert result.settings["windows"] is None


def test_a_map_that_loses_its_sign_alone_fails(trained: ModuleNet) -> None:
    """Its correlation falls, that of its magnitudes does not."""

    def flipped(net: Any, pixels: np.ndarray, unit: Any, seed: int) -> np.ndarray:
        own = net.provenance["weights"] == trained.provenance["weights"]
        return edges(net, pixels, unit, seed) * (1 if own else -1)

    result = checked(trained, method=flipped)
    np.testing.assert_allclose(result.signed, -1)
    np.testing.assert_allclose(result.absolute, 1)
    assert not result.passed


@pytest.mark.filterwarnings("ignore::predicdiff.errors.ConfidenceWarning")
def test_the_numbers_are_correlations_of_the_maps(trained: ModuleNet) -> None:
    from predicdiff.algorithm import explain

    result = checked(trained, depths=[1, 3], seed=4)

    def relevance(net: Any, pixels: np.ndarray, seed: int) -> np.ndarray:
        unit = int(trained.forward(pixels[None], ["prob"])["prob"].argmax())
        return explain(net, pixels, NormalSampler(), units=[unit], seed=seed, **SMALL).relevance[0]

    for i, pixels in enumerate(pictures().values()):
        first = relevance(trained, pixels, 4)
        assert result.seeds_signed[i] == pytest.approx(by_loops(first, relevance(trained, pixels, 5)))
        for d, depth in enumerate([1, 3]):
            other = relevance(randomised(trained, layers=depth, seed=4), pixels, 5)
            assert result.signed[d, i] == pytest.approx(by_loops(first, other))
            assert result.absolute[d, i] == pytest.approx(by_loops(np.abs(first), np.abs(other)))


def by_loops(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation: ranks by counting."""
    ranks = []
    for values in (one.ravel().tolist(), other.ravel().tolist()):
        ranks.append([sum(v < w for v in values) + sum(v == w for v in values) / 2 for w in values])
    means = [statistics.fmean(rank) for rank in ranks]
    product = sum((a - means[0]) * (b - means[1]) for a, b in zip(*ranks))
    squares = [sum((a - mean) ** 2 for a in rank) for rank, mean in zip(ranks, means)]
    return product / (squares[0] * squares[1]) ** 0.5


def test_a_flat_map_has_nothing_in_common_with_another_and_is_counted(trained: ModuleNet) -> None:
    def dead(net: Any, pixels: np.ndarray, unit: Any, seed: int) -> np.ndarray:
        own = net.provenance["weights"] == trained.provenance["weights"]
        return edges(net, pixels, unit, seed) * own

    result = checked(trained, method=dead, depths=[1, 3])
    assert not result.signed.any()
    assert result.flat.tolist() == [3, 3]
    assert result.passed
    assert result.verdict.endswith("Of 6 of 6 pairs one map is flat, which counts as 0.")


def test_the_same_seed_gives_the_same_numbers(trained: ModuleNet) -> None:
    once, again, other = (checked(trained, depths=[2], samples=2, seed=seed).as_dict() for seed in (3, 3, 9))
    assert once == again
    assert (once["seeds_signed"], once["signed"]) != (other["seeds_signed"], other["signed"])


def test_the_table_has_the_seeds_every_depth_and_the_verdict(result: Randomisation) -> None:
    table, verdict = result.table().split("\n\n")
    lines = table.split("\n")
    assert len(lines) == 3 + 3
    assert {line.count("|") for line in lines} == {6}
    assert lines[2].startswith(f"| none, another seed |  | {result.seeds_signed.mean():.3f} (")
    assert lines[5].startswith(f"| 3 of 3 | 0 | {result.signed[2].mean():.3f} ({result.signed[2].min():.3f} to ")
    assert lines[5].endswith("| yes |")
    assert verdict == result.verdict


def test_the_table_of_one_image_has_no_ranges(trained: ModuleNet) -> None:
    result = randomisation(trained, pictures(1), method=edges)
    assert "(" not in result.table().split("\n\n")[0]
    assert result.table().split("\n")[3].endswith("| no |")


def test_all_of_it_goes_into_json(result: Randomisation) -> None:
    told = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    np.testing.assert_allclose(told["signed"], result.signed)
    assert told["passed"] is True
    assert told["settings"]["windows"] == SMALL
    assert told["provenance"]["name"] == "Sequential"


def test_progress_counts_maps(trained: ModuleNet) -> None:
    seen: list[tuple[int, int]] = []
    checked(trained, method="random", depths=[2], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 9) for i in range(1, 10)]


def test_six_depths_by_default_the_top_layer_and_all_among_them() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), *(torch.nn.Linear(4, 4) for _ in range(20)))
    net = ModuleNet(module, input_shape=(1, 2, 2), device="cpu")
    result = randomisation(net, {"one": np.ones((1, 2, 2), np.float32)}, method="random")
    assert result.depths == [1, 5, 9, 12, 16, 20]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": []}, r"depths = \[\]: want numbers of layers, 1 to 3, ascending"),
        ({"depths": [0, 1]}, r"depths = \[0, 1\]: want"),
        ({"depths": [4]}, r"depths = \[4\]: want"),
        ({"depths": [2, 1]}, r"depths = \[2, 1\]: want"),
        ({"how": "zero"}, "how = 'zero' is unknown"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"method": "gradcam"}, "method 'gradcam' is unknown"),
    ],
)
def test_what_does_not_fit_is_refused(trained: ModuleNet, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        checked(trained, **{"method": "random", **changes})


def test_no_image_and_nets_without_weights_to_change_are_refused(trained: ModuleNet) -> None:
    with pytest.raises(SettingsError, match="no image came"):
        randomisation(trained, {}, method="random")
    with pytest.raises(SettingsError, match="LinearNet cannot be randomised"):
        randomisation(LinearNet(np.ones((2, *SHAPE))), pictures(), method="random")
