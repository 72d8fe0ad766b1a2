"""Tiles evaluated in this process: side by side in threads if the net allows it, else one after the other.

Each of these threads evaluates whole tiles and computes alone. That is about as fast as processes would be, and on a
machine where others compute, faster by far than one evaluation after the other by threads that wait for each other.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from math import prod
from queue import SimpleQueue
from typing import Callable, Generator, Iterator, Sequence, TypeVar

from ..budget import MEMORY
from ..cores import cores
from ..errors import OutOfMemoryError
from ..noise import Draws
from ..plan import DRAWS_SHARE, Analysis
from ..protocols import Progress
from ..stopping import Stopped, listen, next_of
from .tiles import Evaluated, Outcome, Tiles, put_into

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """How many threads evaluate tiles, and how many of the net's own threads each of them uses.

    With None tiles are evaluated one after the other, and the net's threads are left as they are.
    """

    threads: int = 1
    each: int | None = None


def run_tiles(analysis: Analysis, tiles: Sequence[slice], journal: Tiles, progress: Progress | None) -> int:
    """Evaluate the tiles that a journal does not hold yet, and put them into it; see `put_into`."""
    return put_into(journal, analysis, tiles, progress, _by_a_team)


def _by_a_team(
    analysis: Analysis, tiles: dict[int, slice], batch: int, journal: Tiles
) -> Generator[Evaluated, None, None]:
    team = team_for(analysis, batch, int(journal.state["tile"]), int(journal.state.get("memory", MEMORY)))
    if team.each is not None and "threads" in journal.conditions:
        journal.made_under({**journal.conditions, "threads": team.each})
    return evaluated(analysis, tiles, batch, team)


def team_for(analysis: Analysis, batch: int, tile: int, memory: int) -> Team:
    """The threads that a net allows, as many of them as fit into ``memory`` bytes with batches and tiles of this size.

    What memory has no room for is made up for by threads that compute together.
    """
    abilities = analysis.abilities
    shared, settles = abilities.evaluating_threads, abilities.compute_with
    most = 0 if shared is None or settles is None or analysis.varies else shared()
    if not most or (most == 1 and cores() > 1):  # where one thread evaluates, another makes draws meanwhile
        return Team()
    settings = analysis.settings
    draws = 4 * len(analysis.ground) * prod(settings.sides) * tile
    fitting = memory * DRAWS_SHARE / draws
    if abilities.bytes_needed is not None:
        once, each = abilities.bytes_needed(analysis.blob, start=settings.start, window=settings.asked_window)
        fitting = min(fitting, (memory * (1 - DRAWS_SHARE) - analysis.image_bytes) / (once + batch * each))
    threads = max(1, min(most, int(fitting)))
    return Team(threads, most // threads)


def evaluated(analysis: Analysis, tiles: dict[int, slice], batch: int, team: Team) -> Generator[Evaluated, None, None]:
    """Tiles by their numbers, evaluated, in whichever order; each thread ends soon after this generator is closed."""
    if team.each is None:
        return _one_by_one(analysis, tiles, batch)
    return _Threads(analysis, tiles, batch, team).evaluated()


def evaluate_tile(
    analysis: Analysis, tile: slice, batch: int, draws: Draws | None = None, *, halves: bool = True
) -> tuple[Outcome, int]:
    """What is kept of a tile, and the batch size that fitted; ``draws`` may have been made before."""

    def evaluated(size: int) -> Outcome:
        nonlocal draws
        draws = analysis.sample(tile) if draws is None else draws
        return analysis.outcome(tile, draws, size)

    return halving(evaluated, batch) if halves else (evaluated(batch), batch)


def halving(work: Callable[[int], T], batch: int) -> tuple[T, int]:
    """What ``work`` gives for a batch size, halved each time that memory runs out, and the size that fitted.

    Raises
    ------
    OutOfMemoryError
        If not even a single image fits.
    """
    while True:
        try:
            return work(batch), batch
        except (OutOfMemoryError, MemoryError):
            if batch == 1:
                raise OutOfMemoryError(
                    "memory ran out with a single image in the batch: free some, or use a smaller net."
                ) from None
            batch = max(1, batch // 2)


def _one_by_one(analysis: Analysis, tiles: dict[int, slice], batch: int) -> Generator[Evaluated, None, None]:
    """In this thread, in their order, while another one makes the next tile's draws."""
    with ThreadPoolExecutor(1) as pool:
        ahead = _drawn_ahead(pool, analysis, list(tiles.values()))
        for number, tile in tiles.items():
            outcome, batch = evaluate_tile(analysis, tile, batch, next(ahead))
            yield Evaluated(number, outcome, batch)


def _drawn_ahead(pool: ThreadPoolExecutor, analysis: Analysis, tiles: Sequence[slice]) -> Iterator[Draws | None]:
    """Draws of tile after tile, each made by another thread while the one before it is evaluated.

    Where memory ran out they are made again with nothing beside them; None where that fails too.
    """
    coming: Future[Draws] | None = None
    for number, tile in enumerate(tiles):
        coming = coming or pool.submit(copy_context().run, analysis.sample, tile)
        draws: Draws | None = None
        try:
            draws = coming.result()
        except (OutOfMemoryError, MemoryError):
            with suppress(OutOfMemoryError, MemoryError):
                draws = analysis.sample(tile)
        later = tiles[number + 1 : number + 2]
        coming = pool.submit(copy_context().run, analysis.sample, later[0]) if later else None
        yield draws
        del draws  # only the next tile's stay while they are waited for


class _Threads:
    """Tiles evaluated side by side.

    Where memory runs out for all at once, threads leave one after the other; only the last one's batch is halved.
    """

    def __init__(self, analysis: Analysis, tiles: dict[int, slice], batch: int, team: Team) -> None:
        self._analysis, self._tiles, self._batch, self._team = analysis, tiles, batch, team
        self._open = deque(tiles)
        self._at_work = min(team.threads, len(tiles))
        self._turn = threading.Lock()  # to take a tile and draw for it, or to leave
        self._stop = threading.Event()
        self._results: SimpleQueue[Evaluated | BaseException] = SimpleQueue()

    def evaluated(self) -> Generator[Evaluated, None, None]:
        """Tiles in the order in which they are finished; the first error of a thread is raised."""
        with ThreadPoolExecutor(max(1, self._at_work)) as pool:
            try:
                for _ in range(self._at_work):
                    pool.submit(copy_context().run, self._work)
                for _ in self._tiles:
                    result = next_of(self._results)
                    if isinstance(result, BaseException):
                        raise result
                    yield result
            finally:
                self._stop.set()

    def _work(self) -> None:
        """Evaluate tiles until none is left, in a thread of its own."""
        listen(self._stop)
        try:
            if self._analysis.abilities.compute_with is not None and self._team.each is not None:
                self._analysis.abilities.compute_with(self._team.each)
            while self._one_more():
                pass
        except Stopped:
            pass
        except BaseException as error:  # the caller's thread raises it
            self._results.put(error)

    def _one_more(self) -> bool:
        """Evaluate the next tile; whether this thread goes on."""
        draws: Draws | None = None
        try:
            with self._turn:
                if self._stop.is_set() or not self._open:
                    self._at_work -= 1
                    return False
                number = self._open.popleft()
                draws = self._analysis.sample(self._tiles[number])
            outcome, _ = evaluate_tile(self._analysis, self._tiles[number], self._batch, draws, halves=False)
        except (OutOfMemoryError, MemoryError):
            if self._leaves(number):
                return False
            outcome, self._batch = evaluate_tile(self._analysis, self._tiles[number], self._batch, draws)
        self._results.put(Evaluated(number, outcome, self._batch))
        return True

    def _leaves(self, number: int) -> bool:
        """Give a tile back to the others, for which there may be room without this thread; False if there are none."""
        with self._turn:
            if self._at_work == 1:
                return False
            self._open.appendleft(number)
            self._at_work -= 1
            return True
