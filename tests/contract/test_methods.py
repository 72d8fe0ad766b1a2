"""What every method for maps keeps to."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.contract_methods import SAMPLES, SEED, WANTED, relevance
from helpers.contract_nets import Held
from helpers.unchanged import unchanged

from predicdiff.methods.registry import METHODS, make_methods

named = pytest.mark.parametrize("name", METHODS)


@named
def test_the_map_is_what_another_way_gives(any_net: Held, name: str) -> None:
    found, wanted = relevance(any_net, name), WANTED[name].map(any_net)
    assert found.dtype == np.float64
    rounding = WANTED[name].rounding(any_net, wanted)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=rounding)
    assert np.abs(wanted).max() > 100 * rounding, "so small a map would show nothing"


@named
def test_a_seed_gives_the_same_map_and_another_seed_another_where_it_draws(any_net: Held, name: str) -> None:
    first = relevance(any_net, name)
    assert relevance(any_net, name).tobytes() == first.tobytes()
    assert (relevance(any_net, name, SEED + 1) != first).any() == WANTED[name].draws


@named
def test_nothing_of_the_callers_is_changed(any_fresh: Held, name: str) -> None:
    method = make_methods([name], sampler=any_fresh.sampler, samples=SAMPLES, **any_fresh.how)[name]
    pixels = any_fresh.image.copy()
    with unchanged(pixels, module=any_fresh.module):
        method(any_fresh.net, pixels, (any_fresh.units[0],), SEED)[:] = 0
