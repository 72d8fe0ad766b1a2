"""One analysis in stages, each on a grid that holds the one before, until the map is as reliable as was asked.

The first grid is coarse, so that a first map is there soon. A stage halves the step between windows along one axis, so
that it takes as many evaluations as all before it together, and no run takes more than twice what it needed. When the
step is the settings' own, the number of draws is doubled: each window's stream goes on where it stopped. What the last
stage gives is what `explain` gives for its step and its number of draws, whatever came before.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, fields, replace
from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np

from .evidence import Difference
from .executors.tiles import Executor
from .explanation import Explanation
from .journal import Journal, Section
from .noise import Draws
from .plan import Analysis
from .precision import told_reliability
from .protocols import Json, Progress
from .settings import Settings
from .windows import Sides

#: Steps between windows that the first grid has along each axis, at least; and its draws for each window.
FEWEST_STEPS = 4
FIRST_DRAWS = 2
#: Tiles that a stage has at least, unless they would be smaller than so many evaluations.
TILES, LEAST_TILE = 8, 32


class Level(NamedTuple):
    """How fine a stage is: the step between windows along each axis, and the draws for each window."""

    strides: Sides
    samples: int


class Stage(NamedTuple):
    """What there is after a stage.

    Attributes
    ----------
    analysis : Analysis
        Its settings are those that the run has come to.
    difference : Difference
        Values and variances (n, T) of all windows.
    batch : int
        The batch size that fitted.
    windows_before : int
        How many windows an interrupted run had finished.
    coming : int
        Evaluations that the next stage takes; 0 after the last.
    pace : float
        Seconds that an evaluation took; NaN where all had been finished before and no budget asks for it.
    """

    analysis: Analysis
    difference: Difference
    batch: int
    windows_before: int
    coming: int = 0
    pace: float = math.nan


@dataclass(frozen=True, eq=False)
class Part(Analysis):
    """The windows, or the draws, that one stage adds."""

    def outcome(self, tile: slice, draws: Draws, batch_size: int) -> tuple[np.ndarray, ...]:
        """What is kept of a tile: the draws' values (n, A, S, units)."""
        return (np.moveaxis(self.values(tile, draws, batch_size), 0, 1),)

    def shapes_kept(self, tile: slice) -> Sequence[tuple[int, ...]]:
        """The shape of what `outcome` gives."""
        apart = len(self.ground) if self.settings.channels_apart else 1
        return [(tile.stop - tile.start, apart, self.draws, len(self.units))]


def levels(shape: tuple[int, ...], asked: Settings) -> list[Level]:
    """All that a run may come to, from the coarsest grid on ``shape`` to the settings' own step and draws."""
    strides = [_coarsest(*axis) for axis in zip(shape, asked.sides, asked.strides)]
    samples = _halvings(asked.samples)
    found = [Level(tuple(strides), samples[0])]
    while tuple(strides) != asked.strides:
        coarser = [stride // finest for stride, finest in zip(strides, asked.strides)]
        strides[coarser.index(max(coarser))] //= 2
        found.append(Level(tuple(strides), samples[0]))
    return found + [Level(tuple(strides), count) for count in samples[1:]]


def _halvings(samples: int) -> list[int]:
    """Numbers of draws up to this one, each at most twice the one before, from `FIRST_DRAWS` on.

    >>> _halvings(20)
    [2, 3, 5, 10, 20]
    """
    found = [samples]
    while found[0] > FIRST_DRAWS:
        found.insert(0, -(-found[0] // 2))
    return found


def whole(analysis: Analysis, journal: Journal, executor: Executor, progress: Progress | None) -> Iterator[Stage]:
    """An analysis that is evaluated in one, as its only stage."""
    tiles = analysis.tiles(int(journal.state["tile"]))
    before = windows_done(analysis, tiles, journal)
    batch = executor(analysis, tiles, journal, progress)
    value, variance = (np.concatenate([journal.tiles[tile][part] for tile in range(len(tiles))]) for part in (0, 1))
    yield Stage(analysis, Difference(value, variance), batch, before)


def stages(analysis: Analysis, journal: Journal, executor: Executor, progress: Progress | None) -> Iterator[Stage]:
    """Stage after stage, each evaluated when it is asked for; ``progress`` is told of the windows of all so far."""
    found = levels(analysis.shapes.extent, analysis.settings)
    values, tiles_done, windows_told, windows_before = np.zeros(0), 0, 0, 0
    before, part = None, _added(None, _at(analysis, found[0]))
    while found:
        now = _at(analysis, found.pop(0))
        tiles = part.tiles(_tile(part, int(journal.state["tile"])))
        own = journal.section(tiles_done, len(tiles))
        there, started = windows_done(part, tiles, own), time.perf_counter()
        batch = executor(part, tiles, own, _after(windows_told, progress))
        missing = len(part.origins) - there
        pace = (time.perf_counter() - started) / (missing * part.draws) if missing else _pace(part, batch)
        new = np.concatenate([np.moveaxis(tile[0], 1, 0) for tile in own.taken()], axis=1)
        values = new if before is None else _joined(before, values, part, new)
        tiles_done, windows_told = tiles_done + len(tiles), windows_told + len(part.origins)
        before, windows_before = now, windows_before + there
        coming = 0
        if found:
            part = _added(now, _at(analysis, found[0]))
            if _further_draws(now, part) and not part.skipped:
                del found[:-1]  # all are made anew each time: once is enough
                part = _added(now, _at(analysis, found[0]))
            coming = len(part.origins) * part.draws
        yield Stage(now, now.difference(values), batch, windows_before, coming, pace)


def _pace(part: Part, batch: int) -> float:
    """Seconds of an evaluation, of a few windows; NaN where no budget asks for it."""
    if part.settings.budget is None:
        return math.nan
    few = slice(0, -(-LEAST_TILE // part.draws))
    draws, started = part.sample(few), time.perf_counter()
    values = part.values(few, draws, batch)
    return (time.perf_counter() - started) / (values.shape[1] * values.shape[2])


def reached(explanation: Explanation, stage: Stage, settings: Settings, seconds: float) -> bool:
    """Whether a run is to end with this stage, ``seconds`` after it began."""
    reliability = explanation.reliability
    if settings.until is not None and reliability is not None and reliability.min() >= settings.until:
        return True
    return settings.budget is not None and seconds + stage.coming * stage.pace > settings.budget


def missed(explanation: Explanation, settings: Settings) -> list[str]:
    """What is said of a map that is less reliable than was asked for."""
    reliability = explanation.reliability
    if settings.until is None or reliability is None or reliability.min() >= settings.until:
        return []
    return [
        f"A reliability of {settings.until:g} was asked for, and is {told_reliability(reliability)}: the time, or the "
        "finest step and the draws that were asked for, did not suffice."
    ]


def stage_told(explanation: Explanation) -> Json:
    """JSON-able, for the provenance: how fine a stage was, and how reliable its maps are."""
    names = ("stride", "samples")
    reliability = [] if explanation.reliability is None else explanation.reliability.tolist()
    asked, seconds = explanation.settings, explanation.provenance["seconds"]
    return {**{name: asked[name] for name in names if name in asked}, "reliability": reliability, "seconds": seconds}


def windows_done(analysis: Analysis, tiles: Sequence[slice], journal: Journal | Section) -> int:
    """How many windows lie in the tiles that a journal holds; those are dropped that can't be of this analysis."""
    for number in list(journal.tiles):
        if number >= len(tiles) or not _fits(journal.tiles[number], analysis.shapes_kept(tiles[number])):
            journal.drop(number)
    return sum(tile.stop - tile.start for number, tile in enumerate(tiles) if number in journal.tiles)


def _fits(arrays: Sequence[np.ndarray], shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether these are numbers of such shapes, and a batch size."""
    *kept, batch = arrays
    if [array.shape for array in kept] != list(shapes) or any(array.dtype.kind != "f" for array in kept):
        return False
    return batch.shape == () and batch.dtype.kind in "iu" and int(batch) >= 1


def _coarsest(size: int, window: int, stride: int) -> int:
    """The step, times a power of two, with which few windows lie along an axis."""
    steps = (size - window) // stride
    return stride * 2 ** max(0, int(math.log2(max(1, steps / FEWEST_STEPS))))


def _at(analysis: Analysis, level: Level) -> Analysis:
    """The analysis with a level's grid and draws."""
    settings = replace(analysis.settings, stride=level.strides, samples=level.samples)
    shapes = analysis.shapes.stepped(level.strides)
    return replace(analysis, settings=settings, shapes=shapes, origins=shapes.origins)


def _added(before: Analysis | None, now: Analysis) -> Part:
    """What is to be evaluated after what was ``before``: further windows, or further draws for all of them."""
    parts: dict[str, Any] = {part.name: getattr(now, part.name) for part in fields(Analysis)}
    if before is None:
        return Part(**parts)
    if _further_draws(before, now):
        return Part(**{**parts, "skipped": _stay(before, now)})
    width = now.ground.shape[-1]
    known, places = (origins[:, 0] * width + origins[:, 1] for origins in (before.origins, now.origins))
    return Part(**{**parts, "origins": now.origins[~np.isin(places, known)]})


def _further_draws(before: Analysis, now: Analysis) -> bool:
    return before.settings.strides == now.settings.strides


def _joined(before: Analysis, values: np.ndarray, part: Part, new: np.ndarray) -> np.ndarray:
    """The values that were there ``before`` and those of a part, in the order of the grid."""
    if _further_draws(before, part):
        return np.concatenate([values[:, :, : part.skipped], new], axis=2)
    every = np.concatenate([before.origins, part.origins])
    return np.concatenate([values, new], axis=1)[:, np.lexsort(every.T[::-1])]


def _stay(before: Analysis, now: Analysis) -> int:
    """How many of a window's draws stay as they are when more are asked for: all, or none, and all are made anew.

    A sampler that chooses from few images may take them in another order when it takes them all.
    """
    few, more = (one.draw(slice(0, 2)) for one in (before, now))
    kept = few.shape[1]
    return kept if more.shape[1] > kept and np.array_equal(few, more[:, :kept]) else 0


def _tile(part: Part, most: int) -> int:
    """Evaluations in a tile: so few that there are tiles for several threads, but not fewer than a batch needs.

    A tile of further draws is smaller, because the sampler makes each window's draws from the first on, and all of them
    must fit into memory.
    """
    fitting = max(1, most * part.draws // part.settings.samples)
    return int(np.clip(len(part.origins) * part.draws // TILES, min(LEAST_TILE, fitting), fitting))


def _after(done: int, progress: Progress | None) -> Progress | None:
    """What tells of the windows of this stage as of those that follow others."""
    if progress is None:
        return None
    return lambda windows_done, count: progress(done + windows_done, done + count)
