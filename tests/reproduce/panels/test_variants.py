"""Samplers whose draws deviate less, or whose windows lie in the corner of their contexts."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
from helpers.drawn import photo

import predicdiff as pd


def fitted() -> tuple[pd.GaussianSampler, np.ndarray]:
    images = [photo((40, 40), name) for name in ("chelsea", "coffee")]
    return pd.GaussianSampler.fit(images, context=6, patches=2000, clip=None), images[0].transpose(2, 0, 1) * 1.0


def test_narrowed_draws_have_the_mean_and_less_spread(module: Callable[[str], Any]) -> None:
    sampler, pixels = fitted()
    narrowed = module("panels.variants").Narrowed
    origins, how = np.array([[0, 0], [17, 9]]), {"window": 4, "samples": 3, "seed": 5}
    draws = sampler.draw(pixels, origins, **how)
    for number, origin in enumerate(origins.tolist()):
        mean, _ = sampler.moments(pixels, tuple(origin), window=4)
        alone = narrowed(sampler, 0.0).draw(pixels, origins, **how)[number]
        np.testing.assert_allclose(alone, np.broadcast_to(mean, alone.shape), rtol=0, atol=1e-4)
        half = narrowed(sampler, 0.5).draw(pixels, origins, **how)[number]
        np.testing.assert_allclose(half, (draws[number] + mean) / 2, rtol=0, atol=1e-4)


def test_a_cornered_window_does_not_depend_on_what_lies_above_and_left_of_it(module: Callable[[str], Any]) -> None:
    sampler, pixels = fitted()
    cornered = module("panels.variants").Cornered(sampler.mean, sampler.covariance, clip=None)
    origins, how = np.array([[17, 9]]), {"window": 4, "samples": 2, "seed": 5}
    draws, centred = (one.draw(pixels, origins, **how) for one in (cornered, sampler))
    before = pixels.copy()
    before[:, :17], before[:, :, :9] = 0.0, 0.0
    np.testing.assert_array_equal(cornered.draw(before, origins, **how), draws)
    assert not np.array_equal(sampler.draw(before, origins, **how), centred)
    behind = pixels.copy()
    behind[:, 17:23, 13:15] = 0.0
    assert not np.array_equal(cornered.draw(behind, origins, **how), draws)
