"""Claim g on vectors whose sparseness is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, ClassVar

import numpy as np
import pytest
from helpers.claims import study
from helpers.oracle_nets import NumpyNet, softmax


@pytest.fixture
def sparse(module: Callable[[str], Any]) -> Any:
    return module("claims.sparseness")


def planted(alive: int, channels: int = 64, count: int = 7) -> np.ndarray:
    """Vectors (n, C) of which so many channels are alike and the others zero."""
    values = np.zeros((count, channels))
    for number, row in enumerate(values):
        row[np.random.default_rng(number).permutation(channels)[:alive]] = number + 1
    return values


@pytest.mark.parametrize(("alive", "wanted"), [(1, 1.0), (4, (8 - 2) / 7), (16, (8 - 4) / 7), (64, 0.0)])
def test_planted_sparseness_is_found(sparse: Any, alive: int, wanted: float) -> None:
    assert sparse.hoyer(planted(alive)) == pytest.approx(np.full(7, wanted))
    assert sparse.sparseness(planted(alive)) == pytest.approx(wanted)
    assert sparse.not_zero(planted(alive)) == alive / 64


def test_places_without_anything_are_left_out(sparse: Any) -> None:
    values = planted(4)
    values[2:] = 0
    assert sparse.sparseness(values) == pytest.approx(6 / 7)
    assert np.isnan(sparse.sparseness(np.zeros((3, 64))))


def test_noise_behind_a_relu_is_what_the_table_says(sparse: Any) -> None:
    noise = np.maximum(np.random.default_rng(0).standard_normal((400, 512)), 0)
    # half of the channels with means of sqrt(2 / pi) and squares of 1, over all
    wanted = (1 - np.sqrt(1 / np.pi)) / (1 - 1 / np.sqrt(512))
    assert sparse.sparseness(noise) == pytest.approx(wanted, abs=0.01)


def test_places_are_random_but_the_same_for_each_picture(sparse: Any) -> None:
    maps = np.arange(2 * 10 * 10).reshape(2, 10, 10)
    found = sparse.places(maps, "conv", 0)
    assert found.shape == (49, 2)
    assert len(set(found[:, 0])) == 49
    assert np.array_equal(found[:, 1] - found[:, 0], np.full(49, 100))
    assert np.array_equal(sparse.places(maps + 1, "conv", 0), found + 1)
    assert not np.array_equal(sparse.places(maps, "other", 0), found)
    assert sparse.places(maps[:, :3, :3], "conv", 0).shape == (9, 2)


class Sparser(NumpyNet):
    """Three layers, half, a quarter and a sixteenth of whose channels are not zero, the late one with more of them.

    ``alive`` says how many for so many channels; a copy with other numbers stands for random weights.
    """

    alive: ClassVar[dict[str, tuple[int, int]]] = {"early": (32, 64), "middle": (32, 128), "late": (64, 1024)}

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        found = {}
        for name, (alive, channels) in self.alive.items():
            values = np.arange(channels) % (channels // alive) == 0
            found[name] = np.broadcast_to(values[None, :, None, None], (len(inputs), channels, 7, 7)).astype(np.float32)
        scores = inputs.mean(axis=(2, 3))
        return {**found, "scores": scores, "prob": softmax(scores)}


class Alike(Sparser):
    alive: ClassVar[dict[str, tuple[int, int]]] = {"early": (32, 64), "middle": (64, 128), "late": (512, 1024)}


@pytest.mark.parametrize(("net", "other"), [(Sparser, Alike), (Alike, Sparser)])
def test_the_late_layer_is_held_against_the_early_one_on_as_many_channels(
    sparse: Any,
    module: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    net: type[Sparser],
    other: type[Sparser],
) -> None:
    def hoyer(part: float) -> float:
        return (8 - np.sqrt(64 * part)) / 7  # of 64 channels of which this part is alike and the others zero

    monkeypatch.setattr(sparse, "layers", lambda _: ("early", "middle", "late"))
    monkeypatch.setattr(sparse, "shuffled", lambda _: other((3, 16, 14)))
    subject = study(module("claims.study"), net((3, 16, 14)), tmp_path).subjects[0]
    found = sparse.measure(subject, module("claims.line").Size(1, side=0))["g"]
    late = {Sparser: hoyer(1 / 16), Alike: hoyer(1 / 2)}
    # of 1024 channels 64 are drawn: how many of them are not zero is chance
    assert found.statistic == pytest.approx(late[net], abs=0.1)
    assert found.beside["late layer, random weights"] == pytest.approx(late[other], abs=0.1)
    assert found.nulls == {"early layer": pytest.approx(hoyer(1 / 2))}
    assert found.beside["channels of each layer"] == 64
