"""Claim c on white noise, planted effects and a linear net."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.claims import linear_net, study

DRAWS, COUNT = 4, 10_000


@pytest.fixture
def pixels(module: Callable[[str], Any]) -> Any:
    return module("claims.pixels")


def halves(effects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the draws of two halves, each with noise of 1, and their estimated variances."""
    draws = effects + np.random.default_rng(0).standard_normal((2, DRAWS, len(effects)))
    return draws.mean(axis=1), draws.var(axis=1, ddof=1) / DRAWS


def test_of_white_noise_no_more_is_beyond_its_error_than_chance_has(pixels: Any) -> None:
    share, chance = pixels.beyond(*halves(np.zeros(COUNT)), DRAWS)
    assert (share, chance) == pytest.approx((0.05, 0.05), abs=4 * np.sqrt(0.05 * 0.95 / COUNT))


def test_planted_effects_are_beyond_their_error(pixels: Any) -> None:
    effects = np.where(np.arange(COUNT) % 10 < 3, 50.0, 0.0)
    share, chance = pixels.beyond(*halves(effects), DRAWS)
    assert share == pytest.approx(0.3 + 0.7 * 0.05, abs=0.01)
    assert chance == pytest.approx(0.05, abs=0.01)


def test_ranks_are_those_of_magnitudes(pixels: Any) -> None:
    gradient = np.random.default_rng(0).standard_normal((8, 8))
    assert pixels.ranked(-(gradient**3), gradient) == pytest.approx(1)
    assert pixels.ranked(1 / gradient, gradient) == pytest.approx(-1)
    assert np.isnan(pixels.ranked(gradient, np.ones((8, 8))))


def test_a_linear_net_changes_as_its_gradient_and_what_is_unexpected_say(
    pixels: Any, module: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "DRAWS", {"conditional": 20})
    monkeypatch.setattr(pixels, "WINDOW", 4)
    subject = study(module("claims.study"), linear_net(), tmp_path).subjects[0]
    size = module("claims.line").Size(1, side=14, draws=4, stride=4)
    found = pixels.measure(subject, size)
    c2 = found["c2"]
    # 196 pixels; chance leaves rank correlations of 0.07
    assert c2.beside["with gradient times residual"] > 0.9
    assert c2.statistic > c2.nulls["gradients of other units"] + 0.3
    assert found["c1"].statistic > found["c1"].nulls["pure noise"]
    assert found["c1"].beside["median of k = 10, bits"] > found["c1"].beside["median of k = 1, bits"]
