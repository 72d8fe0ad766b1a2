"""Claim d on windows that are sums and windows that are not, and on nets that are linear and not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.claims import SHAPE, ProductNet, linear_net, study
from helpers.oracle_nets import LinearNet

from predicdiff import windows

K = 4
SIDE = 40


@pytest.fixture
def patches(module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """With windows of 4, and draws of single pixels that leave little noise: all of the corpus, or many."""
    made = module("claims.patches")
    monkeypatch.setattr(module("claims.pixels"), "DRAWS", {"marginal": 12, "conditional": 12})
    monkeypatch.setattr(made, "WINDOW", K)
    return made


def made(seed: int, of_pixels: Callable[[np.ndarray], float]) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Windows that are worth this of their pixels, and the pixels; as much noise in each as there is signal."""
    draw = np.random.default_rng(seed)
    single = draw.standard_normal((SIDE, SIDE))
    corners = windows.grid((SIDE, SIDE), window=K, stride=1)
    worth = np.array([of_pixels(single[r : r + K, c : c + K]) for r, c in corners])
    larger = [worth + worth.std() * draw.standard_normal(len(worth)) for _ in range(2)]
    return larger, [single + draw.standard_normal(single.shape) for _ in range(2)], corners


def test_windows_that_are_sums_have_1_whatever_the_noise(patches: Any) -> None:
    found = patches.additivity(*made(0, np.sum), K)
    assert found.corrected == pytest.approx(1, abs=0.15)
    assert found.measured < 0.7
    assert patches.additivity(*made(0, np.prod), K).corrected != pytest.approx(1, abs=0.5)
    assert patches.additivity(*made(0, lambda each: each.max() + each.min()), K).corrected < 0.85


def measured(patches: Any, module: Callable[[str], Any], folder: Path, net: Any) -> dict[str, Any]:
    size = module("claims.line").Size(1, side=14, draws=12)
    found: dict[str, Any] = patches.measure(study(module("claims.study"), net, folder).subjects[0], size)
    return found


def test_a_linear_net_has_exactly_1_by_marginal_draws(
    patches: Any, module: Callable[[str], Any], tmp_path: Path
) -> None:
    found = measured(patches, module, tmp_path, linear_net())
    assert found["d1"].statistic == pytest.approx(1, abs=1e-3)
    control = found["d2"].nulls["the net's own linearisation"]
    assert found["d2"].statistic == pytest.approx(control, abs=0.1)


def test_products_of_neighbours_do_not_add_up(patches: Any, module: Callable[[str], Any], tmp_path: Path) -> None:
    found = measured(patches, module, tmp_path, ProductNet(SHAPE))
    assert found["d1"].statistic < 0.95


def test_windows_are_held_against_the_pixels_inside_them(patches: Any) -> None:
    net = LinearNet(np.random.default_rng(0).normal(size=(1, 1, SIDE, SIDE)))
    corners = windows.grid((SIDE, SIDE), window=K, stride=3)
    single = net.weights[0, 0]
    sums = [single[r : r + K, c : c + K].sum() for r, c in corners]
    assert patches.additivity([np.array(sums)] * 2, [single] * 2, corners, K).corrected == pytest.approx(1)
    assert patches.additivity([np.array(sums)] * 2, [single.T] * 2, corners, K).corrected < 0.5
