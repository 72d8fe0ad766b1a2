"""Which windows share a law, and how many numbers their draws take; what the laws are, test_gaussian holds."""

from __future__ import annotations

import numpy as np
import pytest

from predicdiff import windows
from predicdiff.samplers.laws import Laws

SHAPE = (8, 11)


def laws(blocks: int = 1, context: int = 5) -> Laws:
    root = np.random.default_rng(0).standard_normal((blocks, 2 * context**2 // blocks, 80))
    return Laws(np.zeros((2, context, context)), root @ root.transpose(0, 2, 1), 0.0)


@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_windows_are_alike_where_they_lie_alike_in_their_contexts(window: int) -> None:
    origins = windows.grid(SHAPE, window=window)
    offsets = origins - windows.contexts(origins, SHAPE, window=window, context=5)
    groups = list(laws().alike(offsets))
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(origins)))
    assert [{tuple(offset) for offset in offsets[group]} for group in groups] == [
        {place} for place in sorted(set(map(tuple, offsets)))
    ]
    assert list(laws().alike(offsets[:0])) == []


def test_laws_are_made_once() -> None:
    kept_laws = laws()
    assert kept_laws.law((3, 3), (0, 2)) is kept_laws.law((3, 3), (0, 2))
    assert kept_laws.law((3, 3), (0, 2)) is not kept_laws.law((3, 3), (2, 0))
    assert kept_laws.law((2, 2), (0, 2)) is not kept_laws.law((3, 3), (0, 2))


@pytest.mark.parametrize(("blocks", "shape"), [(1, (4, 1, 18)), (2, (4, 2, 9))])
def test_a_number_for_each_value(blocks: int, shape: tuple[int, int, int]) -> None:
    assert laws(blocks).shape(4, (3, 3)) == shape


def test_each_window_has_the_factor_and_the_means_of_its_place() -> None:
    kept_laws, window = laws(), (3, 3)
    pixels = np.random.default_rng(1).standard_normal((2, *SHAPE)).astype(np.float32)
    origins = windows.grid(SHAPE, window=window)[::-1]
    corners = windows.contexts(origins, SHAPE, window=window, context=5)
    normal = np.zeros((len(origins), 1, 1, 18))
    noise = kept_laws.noise(pixels, origins, corners, normal, window, (0.0, 1.0))
    assert (noise.window, noise.limits) == (window, (0.0, 1.0))
    for origin, corner, law, means in zip(origins, corners, noise.laws, noise.means):
        own = kept_laws.law(window, tuple((origin - corner).tolist()))
        assert noise.factors[law] is own.factor
        around = pixels[:, corner[0] : corner[0] + 5, corner[1] : corner[1] + 5].ravel()[own.outside]
        np.testing.assert_allclose(means[0], own.gain[0] @ around.astype(float), rtol=1e-10, atol=1e-12)
