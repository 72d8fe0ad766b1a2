"""How long a run will take is projected from a part of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo

from predicdiff import effort
from predicdiff.effort import seconds_needed
from predicdiff.plan import Analysis

SHAPE = (3, 7, 9)


def plan(net: Any = None, sampler: Any = None, **settings: Any) -> Analysis:
    settings = {"window": 3, "samples": 4, "stride": 1, **settings}
    return analysis(net or MapNet(SHAPE), photo(SHAPE), sampler or NormalSampler(), **settings)


@pytest.mark.parametrize(("samples", "stride", "batch_size"), [(4, 1, 8), (20, 2, None), (2000, 3, None), (1, 3, 320)])
def test_time_is_projected_from_a_part_of_the_work(
    monkeypatch: pytest.MonkeyPatch, samples: int, stride: int, batch_size: Any
) -> None:
    """On a clock that ticks once for every evaluated input, a run takes as many ticks as it has evaluations."""
    net = MapNet(SHAPE)
    monkeypatch.setattr(effort.time, "perf_counter", lambda: float(sum(net.batches)))
    planned = plan(net, samples=samples, stride=stride)
    assert seconds_needed(planned, batch_size=batch_size) == pytest.approx(len(planned.origins) * samples)
    assert sum(net.batches) <= 2 * max(64 + samples, samples)


def test_a_net_that_likes_long_batches_is_timed_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    net = MapNet(SHAPE)
    net.preferred_batch = 640  # type: ignore[attr-defined]
    monkeypatch.setattr(effort.time, "perf_counter", lambda: float(sum(net.batches)))
    planned = plan(net, samples=40, stride=1)
    assert seconds_needed(planned) == pytest.approx(len(planned.origins) * 40)
    assert max(net.batches) == 640
    assert net.batches[0] == 640, "first calls of that size are not what is timed"


def test_time_is_projected_from_as_many_tiles_at_once_as_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads, which wait for each other here, have evaluated a tile each when the clock is looked at."""
    net: Any = MapNet(SHAPE)
    net.evaluating_threads, net.compute_with = lambda: 2, lambda count: None
    meeting = threading.Barrier(2)
    monkeypatch.setattr(effort.time, "perf_counter", lambda: float(sum(net.batches)))
    planned = plan(net, samples=4, stride=1)
    evaluate = net.evaluate

    def meet(*args: Any, **settings: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            meeting.wait(60)
        return evaluate(*args, **settings)

    net.evaluate = meet
    assert seconds_needed(planned, batch_size=8) == pytest.approx(len(planned.origins) * 4)
