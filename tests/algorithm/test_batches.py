"""Draws and bits do not depend on how the work is cut up: batches, memory, the order of tiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo
from helpers.oracle_nets import explained as counted
from helpers.rounding import float32_atol, products

from predicdiff.algorithm import run
from predicdiff.errors import OutOfMemoryError
from predicdiff.explanation import Explanation

SHAPE = (2, 9, 10)
IMAGE = photo(SHAPE, 1)


def single() -> MapNet:
    """A net in single precision, whose sums come out a little otherwise in batches of other sizes."""
    return MapNet(SHAPE, gain=0.4, dtype=np.float32)


def explained(net: Any = None, image: Any = IMAGE, sampler: Any = None, **settings: Any) -> Explanation:
    net = single() if net is None else net
    settings = {"window": 3, "samples": 7, "units": [0, 2], "batch_size": 16, **settings}
    return counted(net, image, NormalSampler() if sampler is None else sampler, **settings)


def agree(result: Explanation, wanted: Explanation) -> None:
    """To the rounding of the net's scores, in bits; other draws would differ by tenths."""
    net = single()
    scores = net.forward(IMAGE[None], ["scores"])["scores"]
    rounding = float32_atol(scores, products([net.kernels, net.heads])) / math.log(2)
    np.testing.assert_allclose(result.relevance, wanted.relevance, rtol=0, atol=rounding)
    np.testing.assert_allclose(result.stderr, wanted.stderr, rtol=0, atol=rounding)


def same_bits(one: Explanation, other: Explanation) -> bool:
    return one.relevance.tobytes() == other.relevance.tobytes() and one.stderr.tobytes() == other.stderr.tobytes()


@pytest.mark.parametrize("memory", [1, 5_000, 40_000, 10**12])
def test_memory_sets_the_batch_size_and_changes_no_more_than_rounding(memory: int) -> None:
    net = single()
    result = explained(net, memory=memory, batch_size=None)
    batch = result.provenance["batch_size"]
    assert batch == max(1, min(memory // 1000, 320))
    assert max(net.batches) == min(batch, max(net.calls) * 7)
    assert same_bits(result, explained(batch_size=batch))
    agree(result, explained())


def test_no_batch_reaches_over_the_end_of_a_tile() -> None:
    net = MapNet(SHAPE)
    explained(net, samples=50, batch_size=64)
    tile = 7  # windows, the least that make 320 evaluations of 50
    whole, rest = divmod(8 * 7, tile)
    assert net.calls == [tile] * whole + [rest] * (rest > 0)
    assert net.batches == ([64] * 5 + [30]) * whole


def test_a_plan_can_be_run_by_itself() -> None:
    plan = analysis(single(), IMAGE, NormalSampler(), window=3, samples=7, stride=1, units=[0, 2])
    assert same_bits(run(plan, batch_size=16), explained())


@pytest.mark.parametrize(("batch_size", "room", "left"), [(64, 20, 16), (320, 1, 1), (7, 6, 3), (16, 16, 16)])
def test_memory_that_runs_out_halves_the_batch_and_changes_nothing(batch_size: int, room: int, left: int) -> None:
    net = single()
    net.room = room
    result = explained(net, batch_size=batch_size)
    assert result.provenance["batch_size"] == left
    assert same_bits(result, explained(batch_size=left))
    agree(result, explained(batch_size=batch_size))


def test_memory_that_never_suffices_ends_in_an_error() -> None:
    net = MapNet(SHAPE)
    net.room = 0
    with pytest.raises(OutOfMemoryError, match="a single image in the batch"):
        explained(net)
