from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import SamplerError
from predicdiff.samplers.conditioning import condition, smallest_jitter


def spd(size, rng, blocks=1):
    """Covariances (blocks, size, size) without any symmetry between rows and columns of a patch."""
    roots = rng.normal(size=(blocks, size, 2 * size))
    return roots @ roots.transpose(0, 2, 1) / size


def members(channels, context, offset, window):
    """Indices of a window's values among those of its context, by counting."""
    inside, outside, index = [], [], 0
    for _ in range(channels):
        for row in range(context[0]):
            for column in range(context[1]):
                hit = offset[0] <= row < offset[0] + window[0] and offset[1] <= column < offset[1] + window[1]
                (inside if hit else outside).append(index)
                index += 1
    return inside, outside


@st.composite
def cases(draw):
    context = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    window = tuple(draw(st.integers(1, side)) for side in context)
    offset = tuple(draw(st.integers(0, outer - inner)) for outer, inner in zip(context, window))
    return draw(st.integers(1, 3)), draw(st.integers(1, 2)), context, window, offset, draw(st.integers(0, 99))


@given(cases())
def test_gain_and_factor_equal_the_formula_by_the_precision_matrix(case):
    channels, blocks, context, window, offset, seed = case
    covariance = spd(channels * context[0] * context[1], np.random.default_rng(seed), blocks)
    law = condition(covariance, window=window, context=context, offset=offset, jitter=0.25)
    inside, outside = members(channels, context, offset, window)
    assert (law.inside.tolist(), law.outside.tolist()) == (inside, outside)
    for block in range(blocks):
        precision = np.linalg.inv(covariance[block] + 0.25 * np.eye(len(covariance[block])))
        expected = np.linalg.inv(precision[np.ix_(inside, inside)])
        np.testing.assert_allclose(law.gain[block], -expected @ precision[np.ix_(inside, outside)], atol=1e-9)
        np.testing.assert_allclose(law.factor[block] @ law.factor[block].T, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(law.factor[block], np.tril(law.factor[block]))


def test_the_covariance_is_left_as_it_was():
    covariance = spd(9, np.random.default_rng(0))
    before = covariance.copy()
    condition(covariance, window=(3, 3), context=(3, 3), offset=(0, 0), jitter=1.0)
    np.testing.assert_array_equal(covariance, before)


def test_full_rank_needs_no_jitter():
    assert smallest_jitter(spd(20, np.random.default_rng(0), blocks=2)) == 0.0


@pytest.mark.parametrize("rank", [1, 5, 19])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_jitter_is_the_smallest_power_of_ten_that_gives_full_rank(rank, scale):
    root = np.random.default_rng(rank).normal(size=(20, rank)) * scale
    covariance = root @ root.T
    jitter = smallest_jitter(covariance[None])
    power = np.log10(jitter / np.trace(covariance) * 20)
    assert power == pytest.approx(round(power), abs=1e-6)
    assert np.linalg.matrix_rank(covariance + jitter * np.eye(20), hermitian=True) == 20
    assert np.linalg.matrix_rank(covariance + jitter / 10 * np.eye(20), hermitian=True) < 20


def test_with_its_jitter_any_place_of_the_window_can_be_conditioned():
    root = np.random.default_rng(0).normal(size=(75, 6))
    covariance = (root @ root.T)[None]
    jitter = smallest_jitter(covariance)
    for offset in [(r, c) for r in range(4) for c in range(4)]:
        law = condition(covariance, window=(2, 2), context=(5, 5), offset=offset, jitter=jitter)
        assert np.isfinite(law.gain).all()
        assert np.isfinite(law.factor).all()


def test_one_block_without_full_rank_is_enough():
    blocks = np.stack([np.eye(4), np.ones((4, 4))])
    jitter = smallest_jitter(blocks)
    assert jitter > 0
    assert all(np.linalg.matrix_rank(block + jitter * np.eye(4), hermitian=True) == 4 for block in blocks)


def test_no_variance_at_all():
    assert 0 < smallest_jitter(np.zeros((1, 4, 4))) < 1e-12


def test_what_is_no_covariance_is_refused():
    with pytest.raises(SamplerError, match="eigenvalue -3"):
        smallest_jitter(np.diag([1.0, 1.0, -3.0, 1.0])[None])


def test_too_small_a_jitter_is_refused():
    with pytest.raises(SamplerError, match="not of full rank, even with jitter 0"):
        condition(np.ones((1, 4, 4)), window=(1, 1), context=(2, 2), offset=(0, 0), jitter=0.0)
