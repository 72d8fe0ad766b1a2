"""Fifths of windows of made energies."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest


@pytest.fixture
def surroundings(module: Callable[[str], Any]) -> Any:
    return module("claims.surroundings")


def test_a_planted_rise_is_found_and_not_by_what_was_shifted(surroundings: Any) -> None:
    rng = np.random.default_rng(0)
    residual = rng.permutation(60 * 50.0 + np.arange(60 * 50)).reshape(60, 50)
    fifth = (np.argsort(np.argsort(residual, axis=None)) * 5 // residual.size).reshape(residual.shape)
    strength = rng.uniform(1, 2, residual.shape)
    # twice the energy from each fifth to the next
    one, other = (strength * 2 ** (fifth / 2) + rng.normal(0, 0.5, residual.shape) for _ in range(2))
    marginal = strength**2
    ratios = surroundings.log_ratios(residual, one * other, marginal)
    assert ratios == pytest.approx(np.arange(5), abs=0.1)
    assert surroundings.rise(ratios) == pytest.approx(4, abs=0.15)
    shifted = np.roll(residual, (30, 25), axis=(0, 1))
    assert abs(surroundings.rise(surroundings.log_ratios(shifted, one * other, marginal))) < 0.5
    # without halves the noise would hide a part of it
    assert surroundings.rise(surroundings.log_ratios(residual, one * one, marginal)) < 3.9


def test_a_fifth_lost_in_noise_has_no_ratio(surroundings: Any) -> None:
    order = np.arange(10.0)
    ratios = surroundings.log_ratios(order, np.where(order < 2, -1.0, 1.0), np.ones(10))
    assert np.isnan(ratios[0])
    assert ratios[1:].tolist() == [0, 0, 0, 0]


def test_the_residual_is_the_distance_from_the_conditional_mean(module: Callable[[str], Any], study: Any) -> None:
    subject = study.subjects[0]
    at = subject.windows("conditional", 2, side=6, draws=1)
    found = module("claims.surroundings").residual(subject, at)
    for origin, value in zip(at.origins, found):
        mean, _ = subject.sampler("conditional", 2).moments(subject.pixels, tuple(origin), window=2)
        row, column = origin
        held = subject.pixels[:, row : row + 2, column : column + 2]
        assert value == pytest.approx(np.abs(held - mean).mean(), rel=1e-5)
