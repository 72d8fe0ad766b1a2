"""Tiles evaluated in this process, one after the other, while another thread makes the next one's draws."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Callable, Iterator, Optional, Sequence, TypeVar, Union

import numpy as np

from ..errors import OutOfMemoryError
from ..journal import Journal, Section
from ..plan import Analysis, Draws
from ..protocols import Progress

T = TypeVar("T")

#: What evaluates the tiles that a journal does not hold yet, and puts them into it; gives the last tile's batch size.
Executor = Callable[[Analysis, Sequence[slice], Union[Journal, Section], Optional[Progress]], int]


def run_tiles(analysis: Analysis, tiles: Sequence[slice], journal: Journal | Section, progress: Progress | None) -> int:
    """Evaluate the tiles that a journal does not hold yet, and put them into it.

    Returns
    -------
    int
        The batch size of the last tile: smaller than the journal's ``state`` says where memory ran out.
    """
    batch, done = int(journal.state["batch_size"]), 0
    with ThreadPoolExecutor(1) as pool:
        ahead = _drawn_ahead(pool, analysis, [tile for i, tile in enumerate(tiles) if i not in journal.tiles])
        for number, tile in enumerate(tiles):
            if number in journal.tiles:
                batch = int(journal.tiles[number][-1])  # as it was when memory had run out
            else:
                outcome, batch = evaluate_tile(analysis, tile, batch, next(ahead))
                journal.add(number, *outcome, np.array(batch))
            done += tile.stop - tile.start
            if progress is not None:
                progress(done, len(analysis.origins))
    return batch


def evaluate_tile(
    analysis: Analysis, tile: slice, batch: int, draws: Draws | None = None
) -> tuple[tuple[np.ndarray, ...], int]:
    """What is kept of a tile, and the batch size that fitted; ``draws`` may have been made before."""

    def evaluated(size: int) -> tuple[np.ndarray, ...]:
        nonlocal draws
        draws = analysis.sample(tile) if draws is None else draws
        return analysis.outcome(tile, draws, size)

    return halving(evaluated, batch)


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


def _drawn_ahead(pool: ThreadPoolExecutor, analysis: Analysis, tiles: Sequence[slice]) -> Iterator[Draws | None]:
    """Draws of tile after tile, each made by another thread while the one before it is evaluated.

    Where memory ran out they are made again with nothing beside them; None where that fails too.
    """
    coming: Future[Draws] | None = None
    for number, tile in enumerate(tiles):
        coming = coming or pool.submit(analysis.sample, tile)
        draws: Draws | None = None
        try:
            draws = coming.result()
        except (OutOfMemoryError, MemoryError):
            with suppress(OutOfMemoryError, MemoryError):
                draws = analysis.sample(tile)
        later = tiles[number + 1 : number + 2]
        coming = pool.submit(analysis.sample, later[0]) if later else None
        yield draws
        del draws  # only the next tile's stay while they are waited for
