"""Claim g on vectors whose sparseness is known."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest


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
