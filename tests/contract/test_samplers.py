"""What every sampler keeps to: each kind of the registry in all its forms, of pixels and of hidden blobs."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.contract_samplers import HeldSampler, makers
from helpers.one_at_a_time import one_at_a_time
from helpers.oracle_nets import MapNet
from helpers.rounding import UNIT, float32_atol, products
from helpers.unchanged import unchanged

import predicdiff as pd
from predicdiff.abilities import sampler_abilities
from predicdiff.samplers import load_sampler
from predicdiff.windows import grid

MAKERS = makers()
WINDOW, SAMPLES = (3, 2), 4


@pytest.fixture(scope="module", params=MAKERS)
def held(request: pytest.FixtureRequest) -> HeldSampler:
    return MAKERS[request.param]()


def origins_of(held: HeldSampler) -> np.ndarray:
    return grid(held.ground.shape[1:], window=WINDOW, stride=2)


def drawn(held: HeldSampler, origins: Any = None, sampler: Any = None, **change: Any) -> np.ndarray:
    asked = {"window": WINDOW, "samples": SAMPLES, "seed": 5, **change}
    places = origins_of(held) if origins is None else origins
    return (sampler or held.sampler).draw(held.ground.copy(), places, **asked)


def near(held: HeldSampler, draws: np.ndarray, wanted: np.ndarray) -> None:
    """The same draws: products of the Gaussian's are in double precision, and rounded once."""
    largest = max(float(np.abs(wanted).max()), float(np.abs(held.ground).max()))
    np.testing.assert_allclose(draws, wanted, rtol=0, atol=2 * UNIT * largest)


def test_draws_are_finite_patches_of_the_windows_size(held: HeldSampler) -> None:
    draws = drawn(held)
    channels, most = len(held.ground), sampler_abilities(held.sampler).most_draws
    assert draws.shape == (len(origins_of(held)), min(SAMPLES, most or SAMPLES), channels, *WINDOW)
    assert draws.dtype == np.float32
    assert np.isfinite(draws).all()
    assert drawn(held, np.zeros((0, 2), int)).shape == (0, *draws.shape[1:])


def test_a_seed_gives_the_same_draws_and_another_seed_others(held: HeldSampler) -> None:
    first = drawn(held)
    assert drawn(held).tobytes() == first.tobytes()
    for seed in (0, 6, 2**64 - 1):
        other = drawn(held, seed=seed)
        apart = (other != first).any(axis=(1, 2, 3, 4))
        assert apart.all() if held.draws else not apart.any()


def test_a_windows_draws_depend_on_no_other_window_and_no_further_draw(held: HeldSampler) -> None:
    whole, origins = drawn(held), origins_of(held)
    order = np.random.default_rng(0).permutation(len(origins))
    near(held, drawn(held, origins[order]), whole[order])
    for number in order[:5]:
        near(held, drawn(held, origins[number : number + 1]), whole[number : number + 1])
    near(held, drawn(held, samples=2), whole[:, :2])
    if held.draws:
        assert len({window.tobytes() for window in whole}) == len(whole), "windows share no draws"


def test_what_fills_segments_puts_the_same_into_a_pixel_whatever_lies_around_it(held: HeldSampler) -> None:
    fill = sampler_abilities(held.sampler).fill
    if fill is None:
        return
    key, asked = origins_of(held)[3:4], {"samples": SAMPLES, "seed": 5}
    whole = fill(held.ground, np.array([[0, 0]]), window=held.ground.shape[1:], keys=key, **asked)
    ((row, column),) = key.tolist()
    part = whole[..., row : row + WINDOW[0], column : column + WINDOW[1]]
    np.testing.assert_array_equal(part, drawn(held, key))


def test_a_windows_draws_do_not_depend_on_what_it_holds(held: HeldSampler) -> None:
    for row, column in origins_of(held)[::4]:
        other = HeldSampler(held.sampler, held.ground.copy())
        inside = other.ground[:, row : row + WINDOW[0], column : column + WINDOW[1]]
        inside[:] = inside[:, ::-1] + 1
        at = np.array([(row, column)])
        assert drawn(other, at).tobytes() == drawn(held, at).tobytes()


def test_nothing_of_the_callers_is_changed(held: HeldSampler) -> None:
    ground, origins = held.ground.copy(), origins_of(held)
    with unchanged(ground, origins):
        held.sampler.draw(ground, origins, window=WINDOW, samples=SAMPLES, seed=5)[:] = 0
    assert drawn(held).any()


def test_threads_give_what_one_gives(held: HeldSampler) -> None:
    fresh = pickle.loads(pickle.dumps(held.sampler))  # which has kept no laws yet
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: drawn(held, sampler=fresh, seed=seed), range(8)))
    for seed, draws in enumerate(found):
        assert draws.tobytes() == drawn(held, seed=seed).tobytes()


def test_pickled_or_saved_and_back_it_draws_the_same(held: HeldSampler, tmp_path: Path) -> None:
    held.sampler.save(tmp_path / "sampler.h5")
    kind = type(held.sampler)
    for copy in (
        pickle.loads(pickle.dumps(held.sampler)), load_sampler(tmp_path / "sampler.h5"),
        kind.load(tmp_path / "sampler.h5"),
    ):  # fmt: skip
        assert type(copy) is kind
        assert (copy.provenance, list(copy.notes)) == (held.sampler.provenance, list(held.sampler.notes))
        assert drawn(held, sampler=copy).tobytes() == drawn(held).tobytes()


def test_the_map_is_that_of_pasting_one_draw_at_a_time(held: HeldSampler) -> None:
    net = MapNet(held.ground.shape, seed=1)
    how: dict[str, Any] = {"window": WINDOW, "stride": 2, "samples": SAMPLES, "seed": 5}
    result = pd.explain(net, held.ground, held.sampler, blob="scores", units=[2], **how)
    can = sampler_abilities(held.sampler)
    population = None if can.population is None else can.population(held.ground)
    relevance, stderr = one_at_a_time(
        lambda pixels: net.forward(pixels[None], ["scores"])["scores"][:, 2].tolist(), held.ground, held.sampler,
        population=population, **how,
    )  # fmt: skip
    # products are in float64, their sum alone is rounded
    scores = net.forward(held.ground[None], ["scores"])["scores"]
    rounding = float32_atol(scores, products([net.kernels]))
    np.testing.assert_allclose(result.relevance[0], relevance, rtol=0, atol=rounding)
    np.testing.assert_allclose(result.stderr[0], stderr, rtol=0, atol=rounding)
    assert np.abs(relevance).max() > 100 * rounding
    assert np.isfinite(stderr).all()


def test_it_passes_for_anybodys_sampler(held: HeldSampler) -> None:
    pd.check_sampler(held.sampler, held.ground.shape, window=WINDOW)
