"""What gradients say of pixels, against closed forms and loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.claims import SHAPE, SlopedNet, linear_net, study
from helpers.oracle_nets import photo


@pytest.fixture
def gradients(module: Callable[[str], Any]) -> Any:
    return module("claims.gradients")


class Turned(SlopedNet):
    """Its input is blue before red, without a mean, and half as large."""

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        return np.array((pixels[..., ::-1, :, :] - 100) / 2, np.float32)


def test_the_gradient_is_that_of_pixels(gradients: Any) -> None:
    net = Turned(np.random.default_rng(0).normal(size=(2, *SHAPE)))
    found = gradients.pixel_gradient(net, photo(SHAPE), "scores", 1)
    # differences of numbers up to 155, in single precision
    assert found == pytest.approx(net.weights[1, ::-1] / 2, rel=1e-4)


def test_linearised_windows_are_those_of_loops(gradients: Any) -> None:
    draw = np.random.default_rng(0)
    gradient, origins = draw.normal(size=SHAPE), np.array([[0, 3], [12, 10]])
    patches = draw.uniform(0, 255, (2, 5, 3, 4, 4))
    wanted = []
    for (row, column), draws in zip(origins, patches):
        worth = [
            sum(
                gradient[c, row + i, column + j] * (photo(SHAPE)[c, row + i, column + j] - one[c, i, j])
                for c, i, j in np.ndindex(one.shape)
            )
            for one in draws
        ]
        wanted.append(np.mean(worth))
    assert gradients.linearised(gradient, photo(SHAPE), origins, patches) == pytest.approx(wanted)


def test_residuals_are_what_surroundings_do_not_tell(
    gradients: Any, module: Callable[[str], Any], tmp_path: Path
) -> None:
    subject = study(module("claims.study"), linear_net(), tmp_path).subjects[0]
    mean, _ = subject.sampler("conditional", 1).moments(subject.pixels, (5, 7), window=1)
    found = gradients.residuals(subject, np.array([[5, 7], [6, 7]]))
    assert found.shape == (2, 3)
    assert found[0] == pytest.approx(subject.pixels[:, 5, 7] - mean[:, 0, 0])
