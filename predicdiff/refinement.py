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

from . import windows
from .errors import SettingsError
from .evidence import Difference
from .executors.here import Executor
from .explanation import Explanation
from .journal import Journal, Section
from .noise import Draws
from .plan import Analysis
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
        Seconds that an evaluation took; NaN where all had been finished before.
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


def levels(shape: tuple[int, ...], asked: Settings) -> list[Level]:
    """All that a run may come to, from the coarsest grid on ``shape`` to the settings' own step and draws."""
    strides = [_coarsest(*axis) for axis in zip(shape, asked.sides, asked.strides)]
    samples = min(FIRST_DRAWS, asked.samples)
    found = [Level(tuple(strides), samples)]
    while tuple(strides) != asked.strides:
        coarser = [stride // finest for stride, finest in zip(strides, asked.strides)]
        strides[coarser.index(max(coarser))] //= 2
        found.append(Level(tuple(strides), samples))
    while samples < asked.samples:
        samples = min(2 * samples, asked.samples)
        found.append(Level(tuple(strides), samples))
    return found


def whole(analysis: Analysis, journal: Journal, executor: Executor, progress: Progress | None) -> Iterator[Stage]:
    """An analysis that is evaluated in one, as its only stage."""
    tiles = analysis.tiles(int(journal.state["tile"]))
    before = windows_done(tiles, journal)
    batch = executor(analysis, tiles, journal, progress)
    value, variance = (np.concatenate([journal.tiles[tile][part] for tile in range(len(tiles))]) for part in (0, 1))
    yield Stage(analysis, Difference(value, variance), batch, before)


def stages(analysis: Analysis, journal: Journal, executor: Executor, progress: Progress | None) -> Iterator[Stage]:
    """Stage after stage, each evaluated when it is asked for; ``progress`` is told of the windows of all so far.

    Raises
    ------
    SettingsError
        If one draw a window leaves the noise unknown.
    """
    if analysis.settings.samples < 2 and analysis.population != 0:
        raise SettingsError("how reliable a map is can't be told from one draw a window: want samples S of 2 or more.")
    found = levels(analysis.ground.shape[-2:], analysis.settings)
    costs = [*(len(_at(analysis, level).origins) * level.samples for level in found), 0]
    tiles_done = windows_told = windows_before = 0
    values = np.zeros(0)
    before: Analysis | None = None
    for number, level in enumerate(found):
        now = _at(analysis, level)
        part = _added(before, now)
        tiles = part.tiles(_tile(part, int(journal.state["tile"])))
        own = journal.section(tiles_done, len(tiles))
        there, started = windows_done(tiles, own), time.perf_counter()
        batch = executor(part, tiles, own, _after(windows_told, progress))
        missing = len(part.origins) - there
        pace = (time.perf_counter() - started) / (missing * part.draws) if missing else math.nan
        new = np.concatenate([np.moveaxis(own.tiles[tile][0], 1, 0) for tile in range(len(tiles))], axis=1)
        values = new if before is None else _joined(before, values, part, new)
        before, tiles_done, windows_told = now, tiles_done + len(tiles), windows_told + len(part.origins)
        windows_before += there
        yield Stage(now, now.difference(values), batch, windows_before, max(0, costs[number + 1] - costs[number]), pace)


def reached(explanation: Explanation, stage: Stage, settings: Settings, seconds: float) -> bool:
    """Whether a run is to end with this stage, ``seconds`` after it began."""
    reliability = explanation.reliability
    if settings.until is not None and reliability is not None and reliability.min() >= settings.until:
        return True
    return settings.budget is not None and seconds + stage.coming * stage.pace > settings.budget


def stage_told(explanation: Explanation) -> Json:
    """JSON-able, for the provenance: how fine a stage was, and how reliable its maps are."""
    names = ("stride", "samples")
    reliability = [] if explanation.reliability is None else explanation.reliability.tolist()
    asked, seconds = explanation.settings, explanation.provenance["seconds"]
    return {**{name: asked[name] for name in names}, "reliability": reliability, "seconds": seconds}


def windows_done(tiles: Sequence[slice], journal: Journal | Section) -> int:
    """How many windows lie in the tiles that a journal holds."""
    return sum(tile.stop - tile.start for number, tile in enumerate(tiles) if number in journal.tiles)


def _coarsest(size: int, window: int, stride: int) -> int:
    """The step, times a power of two, with which few windows lie along an axis."""
    steps = (size - window) // stride
    return stride * 2 ** max(0, int(math.log2(max(1, steps / FEWEST_STEPS))))


def _at(analysis: Analysis, level: Level) -> Analysis:
    """The analysis with a level's grid and draws."""
    settings = replace(analysis.settings, stride=level.strides, samples=level.samples)
    origins = windows.grid(analysis.ground.shape[-2:], window=settings.window, stride=settings.stride, gaps=True)
    return replace(analysis, settings=settings, origins=origins)


def _added(before: Analysis | None, now: Analysis) -> Part:
    """What is to be evaluated after what was ``before``: further windows, or further draws for all of them."""
    parts: dict[str, Any] = {part.name: getattr(now, part.name) for part in fields(Analysis)}
    if before is None:
        return Part(**parts)
    if before.settings.strides == now.settings.strides:
        return Part(**{**parts, "skipped": _stay(before, now)})
    known = set(map(tuple, before.origins.tolist()))
    new = [tuple(origin) not in known for origin in now.origins.tolist()]
    return Part(**{**parts, "origins": now.origins[new]})


def _joined(before: Analysis, values: np.ndarray, part: Part, new: np.ndarray) -> np.ndarray:
    """The values that were there ``before`` and those of a part, in the order of the grid."""
    if before.settings.strides == part.settings.strides:
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
    """Evaluations in a tile: so few that there are some for several threads, but not ever so few."""
    return int(np.clip(len(part.origins) * part.draws // TILES, LEAST_TILE, most))


def _after(done: int, progress: Progress | None) -> Progress | None:
    """What tells of the windows of this stage as of those that follow others."""
    if progress is None:
        return None
    return lambda windows_done, count: progress(done + windows_done, done + count)
