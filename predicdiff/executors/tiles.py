"""What all executors share: the tiles that a journal lacks are evaluated somewhere, and put into it."""

from __future__ import annotations

from contextlib import closing
from typing import Callable, Dict, Generator, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..journal import Journal, Section
from ..plan import Analysis
from ..protocols import Json, Progress

#: Where finished tiles are kept.
Tiles = Union[Journal, Section]

#: What evaluates the tiles that a journal does not hold yet, and puts them into it; gives the last tile's batch size.
Executor = Callable[[Analysis, Sequence[slice], Tiles, Optional[Progress]], int]

#: What is kept of a tile, see `Analysis.outcome`.
Outcome = Tuple[np.ndarray, ...]


class Evaluated(NamedTuple):
    """What was made of a tile.

    Attributes
    ----------
    number : int
    outcome : tuple of arrays
    batch : int
        The batch size that fitted.
    made : dict or None
        JSON-able: with what it was made, see `conditions`; None where that is what the journal knows already.
    """

    number: int
    outcome: Outcome
    batch: int
    made: Json | None = None


#: What evaluates tiles, by their numbers, in batches of a size, for a journal; in whichever order they are done.
Evaluate = Callable[[Analysis, Dict[int, slice], int, Tiles], Generator[Evaluated, None, None]]


def put_into(
    journal: Tiles, analysis: Analysis, tiles: Sequence[slice], progress: Progress | None, evaluate: Evaluate
) -> int:
    """Have the tiles evaluated that a journal does not hold yet, and put them into it.

    Returns
    -------
    int
        The batch size of the last tile: smaller than the journal's ``state`` says where memory ran out.
    """
    total, done = len(analysis.origins), 0
    finished = [number for number in range(len(tiles)) if number in journal.tiles]
    batch = _batch(journal, finished)

    def tell(number: int) -> None:
        nonlocal done
        done += tiles[number].stop - tiles[number].start
        if progress is not None:
            progress(done, total)

    for number in finished:
        tell(number)
    waiting = {number: tile for number, tile in enumerate(tiles) if number not in journal.tiles}
    with closing(evaluate(analysis, waiting, batch, journal)) as results:
        for number, outcome, batch, made in results:
            if made is not None:
                journal.made_under(made)
            journal.add(number, *outcome, np.array(batch))
            tell(number)
    return batch


def _batch(journal: Tiles, finished: Sequence[int]) -> int:
    """The batch size to go on with: where the run before set out with the same, as small as memory had made it."""
    asked = int(journal.state["batch_size"])
    alike = [number for number in finished if (journal.made[number] or {}).get("batch_size") == asked]
    return min([asked, *(int(journal.tiles[number][-1]) for number in alike)])
