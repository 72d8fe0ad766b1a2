"""A tile is evaluated whatever memory there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo

from predicdiff.errors import OutOfMemoryError
from predicdiff.executors.here import evaluate_tile
from predicdiff.plan import Analysis

SHAPE = (3, 7, 9)


def plan(net: Any = None, sampler: Any = None, **settings: Any) -> Analysis:
    settings = {"window": 3, "samples": 4, "stride": 1, **settings}
    return analysis(net or MapNet(SHAPE), photo(SHAPE), sampler or NormalSampler(), **settings)


def test_draws_made_before_are_not_made_again() -> None:
    class Counted(NormalSampler):
        count = 0

        def draw(self, *args: Any, **settings: Any) -> np.ndarray:
            self.count += 1
            return super().draw(*args, **settings)

    sampler, tile = Counted(), slice(2, 8)
    planned = plan(sampler=sampler)
    before = sampler.count
    wanted, _ = evaluate_tile(planned, tile, 8)
    difference, _ = evaluate_tile(planned, tile, 8, planned.draw(tile))
    assert sampler.count == before + 2
    np.testing.assert_array_equal(difference, wanted)


def test_memory_that_runs_out_halves_the_batch() -> None:
    net, small = MapNet(SHAPE), MapNet(SHAPE)
    net.room = 5
    difference, batch = evaluate_tile(plan(net), slice(0, 6), 24)
    wanted, _ = evaluate_tile(plan(small), slice(0, 6), 3)
    assert batch == 3  # 24, 12, 6, 3
    np.testing.assert_array_equal(difference, wanted)


@pytest.mark.parametrize("kind", [OutOfMemoryError, MemoryError])
def test_memory_that_never_suffices_is_said(kind: type[Exception]) -> None:
    class Full(MapNet):
        def evaluate(self, *args: Any, batch_size: int, **settings: Any) -> np.ndarray:
            self.batches.append(batch_size)
            raise kind("no room")

    net = Full(SHAPE)
    with pytest.raises(OutOfMemoryError, match="memory ran out with a single image in the batch"):
        evaluate_tile(plan(net), slice(0, 6), 24)
    assert net.batches == [24, 12, 6, 3, 1]


def test_other_errors_of_a_net_are_not_taken_for_full_memory() -> None:
    class Broken(MapNet):
        def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        plan(Broken(SHAPE))
