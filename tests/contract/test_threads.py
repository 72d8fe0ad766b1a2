"""Threads that share a net, a sampler or a method give what one gives, and leave what is everybody's as it was.

A module is in train mode, where its batch norm and its dropout would show at once: while one thread ends, none of the
others may see anything of that.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator

import numpy as np
import pytest
from helpers.contract_methods import relevance
from helpers.contract_nets import Held
from helpers.unchanged import unchanged

from predicdiff import plan
from predicdiff.abilities import net_abilities
from predicdiff.methods.registry import METHODS

SEEDS = 3


@pytest.fixture(autouse=True)
def threads_meet() -> Iterator[None]:
    """Threads take turns within their calls, not between them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def the_same_in_threads(held: Held, made: Callable[[int], np.ndarray]) -> None:
    wanted = [made(seed) for seed in range(SEEDS)]
    with unchanged(module=held.module), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: made(number % SEEDS), range(2 * SEEDS)))
    for number, one in enumerate(found):
        np.testing.assert_allclose(one, wanted[number % SEEDS], rtol=0, atol=held.rounding(held.net.output))


def test_with_one_net(held: Held) -> None:
    the_same_in_threads(held, lambda seed: held.explained(seed=seed).relevance)


def test_that_evaluate_side_by_side(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each batch one thread computes all, so that not even the last bit depends on how many there are."""
    torch: Any = pytest.importorskip("torch")
    monkeypatch.setattr(plan, "TILE_EVALUATIONS", 4)
    monkeypatch.setattr(plan, "TILE_BATCHES", 0)
    told: list[tuple[int, int]] = []
    before, maps = torch.get_num_threads(), []
    shared = net_abilities(held.net).evaluating_threads
    try:
        torch.set_num_threads(2)
        if shared is None or not shared():
            pytest.skip("one thread at a time evaluates this net")
        for count in (1, 2, 3):
            monkeypatch.setattr("predicdiff.nets.engine.device.cores", lambda count=count: count)
            torch.set_num_threads(count)
            with unchanged(module=held.module):
                maps.append(held.explained(batch_size=4, progress=lambda *done: told.append(done)))
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(torch.get_num_threads).result() == count
    finally:
        torch.set_num_threads(before)
    assert len(told) > 3 * 3
    for other in maps[1:]:
        np.testing.assert_array_equal(other.relevance, maps[0].relevance)
        np.testing.assert_array_equal(other.stderr, maps[0].stderr)


@pytest.mark.parametrize("name", METHODS)
def test_with_one_method(any_net: Held, name: str) -> None:
    the_same_in_threads(any_net, lambda seed: relevance(any_net, name, seed))
