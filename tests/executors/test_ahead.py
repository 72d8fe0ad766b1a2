"""Draws are made by another thread, one tile ahead of the net."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo

from predicdiff.abilities import sampler_abilities
from predicdiff.algorithm import run
from predicdiff.errors import SamplerError
from predicdiff.explanation import Explanation

SHAPE = (2, 9, 10)
TILES, SAMPLES = 14, 80  # 4 windows a tile


class Watched(NormalSampler):
    """Says which draw has begun; one of them may fail."""

    def __init__(self, wrong: int | None = None, error: BaseException | None = None) -> None:
        self.begun = [threading.Event() for _ in range(TILES + 2)]
        self.count = 0
        self.wrong, self.error = wrong, error
        self.threads: set[int] = set()

    def draw(self, *args: Any, **settings: Any) -> np.ndarray:
        self.threads.add(threading.get_ident())
        self.begun[self.count].set()
        self.count += 1
        if self.error is not None and self.count == self.wrong:
            raise self.error
        return super().draw(*args, **settings)


def explained(net: Any, sampler: Any, **settings: Any) -> Explanation:
    """The net's calls and the sampler's draws are counted from the first tile on."""
    planned = analysis(MapNet(SHAPE), photo(SHAPE, 1), NormalSampler(), window=3, samples=SAMPLES, stride=1, units=[0])
    drawing = sampler_abilities(sampler)
    return run(replace(planned, net=net, sampler=sampler, drawing=drawing), batch_size=16, **settings)


def test_the_next_tile_is_drawn_while_this_one_is_evaluated_and_no_more() -> None:
    sampler = Watched()

    class Waiting(MapNet):
        def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
            tile = len(self.calls)
            if tile + 1 < TILES:
                assert sampler.begun[tile + 1].wait(timeout=60), "the next draw does not begin"
            assert not sampler.begun[tile + 2].is_set(), "two tiles' draws would take twice the memory"
            return super().evaluate(*args, **settings)

    net = Waiting(SHAPE)
    explained(net, sampler)
    assert net.calls == [4] * TILES
    assert sampler.count == TILES
    assert threading.get_ident() not in sampler.threads
    assert len(sampler.threads) == 1


class MissingError(Exception):
    """What a stranger's sampler may raise."""


@pytest.mark.parametrize("error", [SamplerError("nothing left to draw from"), MissingError("the corpus is gone")])
@pytest.mark.parametrize("wrong", [1, 2, 9, TILES])
def test_an_error_in_a_draw_comes_out_and_what_is_finished_is_kept(
    tmp_path: Path, error: Exception, wrong: int
) -> None:
    path, before = tmp_path / "cat.tiles", threading.active_count()
    with pytest.raises(type(error), match=str(error)):
        explained(MapNet(SHAPE), Watched(wrong, error), checkpoint=path)
    assert threading.active_count() == before
    net, sampler = MapNet(SHAPE), Watched()
    resumed = explained(net, sampler, checkpoint=path)
    assert len(net.calls) == TILES - (wrong - 1)
    assert sampler.count == len(net.calls), "finished tiles are not drawn again"
    np.testing.assert_array_equal(resumed.relevance, explained(MapNet(SHAPE), NormalSampler()).relevance)


def test_draws_of_another_shape_are_said() -> None:
    class Wrong(NormalSampler):
        def draw(self, *args: Any, **settings: Any) -> np.ndarray:
            return super().draw(*args, **settings)[:-1]

    with pytest.raises(
        SamplerError, match=r"Wrong\.draw gave an array \(3, 80, 2, 3, 3\): want \(4, 1 to 80, 2, 3, 3\)"
    ):
        explained(MapNet(SHAPE), Wrong())


def test_a_draw_for_which_memory_runs_out_once_is_made_again() -> None:
    """While a tile is evaluated there may be no room; afterwards there is."""
    result = explained(MapNet(SHAPE), Watched(5, MemoryError("no room")))
    np.testing.assert_array_equal(result.relevance, explained(MapNet(SHAPE), NormalSampler()).relevance)
