"""Nets that allow it are evaluated by several threads at once, each with tiles of its own."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo

from predicdiff.abilities import net_abilities, sampler_abilities
from predicdiff.algorithm import run
from predicdiff.budget import MEMORY
from predicdiff.errors import OutOfMemoryError, SamplerError
from predicdiff.executors.here import Team, team_for
from predicdiff.explanation import Explanation
from predicdiff.plan import Analysis
from predicdiff.stopping import check_stopped

SHAPE = (2, 9, 10)
TILES, SAMPLES, THREADS = 14, 80, 3  # 4 windows a tile
PATIENCE = 60  # seconds after which a thread is taken to wait in vain


class Shared(MapNet):
    """A net that three threads may share; ``first`` is called in each evaluation, before anything is computed."""

    def __init__(self, first: Callable[[], Any] = lambda: None) -> None:
        super().__init__(SHAPE, dtype=np.float32)
        self.first = first
        self.asked: list[tuple[int, int]] = []

    def evaluating_threads(self) -> int:
        return THREADS

    def compute_with(self, count: int) -> None:
        self.asked.append((threading.get_ident(), count))

    def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
        self.first()
        return super().evaluate(*args, **settings)


def planned(net: Any, sampler: Any = None) -> Analysis:
    """What the trial of the net took is not counted."""
    sampler = sampler or NormalSampler()
    made = analysis(MapNet(SHAPE, dtype=np.float32), photo(SHAPE, 1), NormalSampler(), window=3, samples=SAMPLES,
                    stride=1, units=[0, 2])  # fmt: skip
    return replace(made, net=net, abilities=net_abilities(net), sampler=sampler, drawing=sampler_abilities(sampler))


def explained(net: Any, sampler: Any = None, **how: Any) -> Explanation:
    return run(planned(net, sampler), batch_size=16, **how)


def bits(result: Explanation) -> bytes:
    return result.relevance.tobytes() + result.stderr.tobytes()


def endless() -> None:
    """An evaluation that ends only because it is told to."""
    for _ in range(100 * PATIENCE):
        check_stopped()
        threading.Event().wait(0.01)
    raise AssertionError("nobody told this thread to stop")


@pytest.fixture(scope="module")
def wanted() -> bytes:
    """What one thread gives, tile after tile."""
    return bits(explained(MapNet(SHAPE, dtype=np.float32)))


def test_three_threads_compute_at_once_each_alone_what_one_computes(wanted: bytes) -> None:
    meeting = threading.Barrier(THREADS)
    met: set[int] = set()

    def meet() -> None:
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            meeting.wait(PATIENCE)

    net = Shared(meet)
    told: list[tuple[int, int]] = []
    before = threading.active_count()
    assert bits(explained(net, progress=lambda *done: told.append(done))) == wanted
    assert net.calls == [4] * TILES
    assert told == [(4 * (tile + 1), 4 * TILES) for tile in range(TILES)]
    assert sorted(count for _, count in net.asked) == [1] * THREADS
    assert len({thread for thread, _ in net.asked} - {threading.get_ident()}) == THREADS
    assert threading.active_count() == before


def test_no_two_draw_at_once(wanted: bytes) -> None:
    class Alone(NormalSampler):
        busy = threading.Lock()

        def draw(self, *args: Any, **settings: Any) -> np.ndarray:
            assert self.busy.acquire(blocking=False), "another thread draws at this moment"
            try:
                return super().draw(*args, **settings)
            finally:
                self.busy.release()

    result = explained(Shared(), Alone())
    assert bits(result) == wanted


def test_whoever_does_not_allow_it_is_asked_by_one_thread() -> None:
    strangers, otherwise = MapNet(SHAPE), Shared()
    otherwise.evaluating_threads = lambda: 0  # type: ignore[method-assign]
    for made in (planned(strangers), planned(otherwise), replace(planned(Shared()), varies=True)):
        assert team_for(made, 16, 320, MEMORY) == Team()


def test_memory_takes_threads_away_and_leaves_batch_and_tile_as_they_are() -> None:
    net: Any = Shared()
    net.bytes_needed = lambda blob, start, window: (1000, 100)
    made = planned(net)
    of_draws = 4 * 2 * 3 * 3 * 320 / 0.1  # bytes of the run for those of a thread
    teams = {share: team_for(made, 16, 320, int(share * of_draws) + 1) for share in (0.5, 1, 2, 3, 50)}
    assert teams == {0.5: Team(1, 3), 1: Team(1, 3), 2: Team(2, 1), 3: Team(3, 1), 50: Team(3, 1)}
    larger = team_for(made, 4000, 320, int(2 * (1000 + 4000 * 100) / 0.9) + 1)
    assert larger == Team(2, 1)


def test_where_there_is_no_room_for_all_threads_leave_and_the_batch_stays(wanted: bytes) -> None:
    room = threading.Semaphore(1)

    class Crowded(Shared):
        def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
            if not room.acquire(blocking=False):
                raise OutOfMemoryError("no room for two")
            try:
                return super().evaluate(*args, **settings)
            finally:
                room.release()

    net = Crowded()
    result = explained(net)
    assert bits(result) == wanted
    assert result.provenance["batch_size"] == 16
    assert set(net.batches) == {16}


def test_where_there_is_no_room_for_one_its_batch_is_halved(wanted: bytes) -> None:
    net = Shared()
    net.room = 5
    result = explained(net)
    assert result.provenance["batch_size"] == 4
    assert bits(result) == bits(run(planned(MapNet(SHAPE, dtype=np.float32)), batch_size=4))


def test_the_first_error_comes_out_and_the_others_stop_between_batches(tmp_path: Path, wanted: bytes) -> None:
    """The third thread fails while the others are in the middle of a tile, and would be for ever."""
    count, path = threading.Semaphore(THREADS - 1), tmp_path / "cat.tiles"

    def work() -> None:
        if not count.acquire(blocking=False):
            raise SamplerError("the third thread's")
        endless()

    before = threading.active_count()
    with pytest.raises(SamplerError, match="the third thread's"):
        explained(Shared(work), checkpoint=path)
    assert threading.active_count() == before
    assert bits(explained(Shared(), checkpoint=path)) == wanted


def test_the_keyboard_stops_all_threads_and_what_is_finished_is_kept(tmp_path: Path, wanted: bytes) -> None:
    path, net = tmp_path / "cat.tiles", Shared()

    def stopped(done: int, total: int) -> None:
        if done > total / 2:
            net.first = endless
            raise KeyboardInterrupt("by the keyboard")

    with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
        explained(net, checkpoint=path, progress=stopped)
    again = Shared()
    told: list[tuple[int, int]] = []
    result = explained(again, checkpoint=path, progress=lambda *done: told.append(done))
    assert bits(result) == wanted
    assert result.provenance["windows_before"] == 4 * (TILES // 2 + 1)
    assert len(again.calls) == TILES - (TILES // 2 + 1), "finished tiles are not evaluated again"
    assert told == sorted(told)
    assert told[-1] == (4 * TILES, 4 * TILES)
