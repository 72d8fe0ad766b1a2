"""The same work by one worker and by two, and by one thread of this process and by two, in turns.

One image goes tile by tile; a study goes image by image, from the files to the results on the disk. Workers are warm,
and each has one processor. In each turn a tile and an image are timed alone, too, by which the turn can be simulated.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Callable

from predicdiff.algorithm import first_state, run
from predicdiff.budget import MEMORY
from predicdiff.cores import sharing
from predicdiff.errors import ExplanationError
from predicdiff.executors.spread import Luggage, executor_with, tile_of
from predicdiff.plan import Analysis
from predicdiff.settings import Settings
from predicdiff.studies.folder import Maker, Study, asked
from predicdiff.studies.one import Item, Outcome, Wish
from predicdiff.studies.outcomes import image_of, outcomes
from predicdiff.workers.processes import Processes
from predicdiff.workers.protocol import Workers
from predicdiff.workers.spreading import Task, spread

from .scaling_costs import Subject
from .scaling_simulated import Cluster, Road, simulated

#: How many compute: workers, or threads of this process.
COUNTS = (1, 2)
WORKERS, HERE = "workers", "threads here"


def way(kind: str, count: int) -> str:
    """What a way is called in the record."""
    return f"{count} {kind}"


@dataclass
class Turns:
    """What is measured in turns.

    Parameters
    ----------
    subject : Subject
    image, each : Settings
        Of the image that goes tile by tile, and of each of the study's.
    images : int
        Of the study, behind the first, which shows whether its settings fit.
    folder : Path
        An empty one, in which studies are written.
    """

    subject: Subject
    image: Settings
    each: Settings
    images: int
    folder: Path
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Turns:
        self._analysis = self.subject.analysis(self.image)
        self._pools: dict[int, Processes] = {}
        self.start: dict[str, float] = {}
        for count in COUNTS:
            with sharing(count):  # so that each worker has one processor
                pool = self._pools[count] = Processes(count)
            self._stack.callback(pool.close)
            self.start[way(WORKERS, count)] = self._started(pool)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def workers(self, count: int) -> Processes:
        """Those that are warm."""
        return self._pools[count]

    def measured(self, turns: int) -> dict[str, Any]:
        """Seconds of each way in each turn, after a first one that is not counted; JSON-able."""
        found: dict[str, dict[str, list[float]]] = {"image": {}, "study": {}, "alone": {}}
        for turn in range(turns + 1):
            for work, name, does in self._works(turn):
                seconds = does()
                found[work].setdefault(name, []).extend([seconds] if turn else [])
        tiles = len(self._tiles)
        return {"tiles": tiles, "images": self.images, "start": self.start, **found}

    def _works(self, turn: int) -> list[tuple[str, str, Callable[[], float]]]:
        works: list[tuple[str, str, Callable[[], float]]] = []
        # whoever comes first in a turn may find the machine otherwise than who comes last
        for count in COUNTS if turn % 2 else reversed(COUNTS):
            pool = self.workers(count)
            works += [
                ("image", way(WORKERS, count), lambda pool=pool, count=count: self._image(pool, count)),  # type: ignore[misc]
                ("image", way(HERE, count), lambda count=count: self._image(None, count)),  # type: ignore[misc]
                ("study", way(WORKERS, count), lambda pool=pool, count=count: self._study(pool, count, turn)),  # type: ignore[misc]
                ("study", way(HERE, count), lambda count=count: self._study(None, count, turn)),  # type: ignore[misc]
            ]
        return [("alone", "tile", self._tile), *works, ("alone", "image", self._one)]

    @property
    def _tiles(self) -> list[slice]:
        return self._analysis.tiles(int(first_state(self._analysis, MEMORY, None)["tile"]))

    def _started(self, pool: Processes) -> float:
        """Seconds until each worker has torch and the net."""
        started = time.perf_counter()
        parcels = [pool.send(self.subject.net), pool.send(self.subject.sampler)]
        list(spread(pool, [Task(number, there, parcels, lambda lost: ()) for number in range(pool.count)]))
        return time.perf_counter() - started

    def _image(self, pool: Workers | None, count: int) -> float:
        analysis: Analysis = self._analysis
        started = time.perf_counter()
        with sharing(count):
            run(analysis, executor=executor_with(pool))
        return time.perf_counter() - started

    def _study(self, pool: Workers | None, count: int, turn: int) -> float:
        kind = HERE if pool is None else WORKERS
        subject, folder = self.subject, self.folder / f"{turn}-{way(kind, count)}"
        items = [Item(number, f"image {number}", subject.file) for number in range(1 + self.images)]
        with sharing(count), Study(folder, {"settings": asked(self.each)}) as study:
            found = outcomes(subject.net, items, subject.sampler, self._wish, workers=pool, checkpoint=study.tiles)
            _add(study, next(found))
            started = time.perf_counter()
            for outcome in found:
                _add(study, outcome)
            return time.perf_counter() - started

    @property
    def _wish(self) -> Wish:
        return Wish(self.each, MEMORY, then=Maker())

    def _tile(self) -> float:
        """A tile's seconds by a warm worker, its message included."""
        pool, analysis, tiles = self.workers(1), self._analysis, self._tiles
        batch = int(first_state(analysis, MEMORY, None)["batch_size"])
        luggage = pool.send(Luggage.of(analysis))
        parcels = [pool.send(analysis.net), pool.send(analysis.sampler), luggage]
        started = time.perf_counter()
        list(spread(pool, [Task(0, tile_of, parcels, lambda lost: (tiles[len(tiles) // 2], batch))]))
        seconds = time.perf_counter() - started
        pool.forget(luggage)
        return seconds

    def _one(self) -> float:
        """An image's seconds by a warm worker."""
        pool, subject = self.workers(1), self.subject
        parcels = [pool.send(thing) for thing in (subject.net, subject.sampler, self._wish)]
        started = time.perf_counter()
        list(spread(pool, [Task(0, image_of, parcels, lambda lost: (subject.item,))]))
        return time.perf_counter() - started


def there(net: Any, sampler: Any) -> None:
    """Nothing: a worker that has come so far has both."""


def _add(study: Study, outcome: Outcome) -> None:
    if outcome.error:
        raise ExplanationError(outcome.error)
    study.add(outcome)


def efficiency(found: dict[str, list[float]], kind: str) -> dict[str, float]:
    """Of two against one, turn by turn: one's seconds, of two times those of two; median, smallest and largest."""
    ratios = [one / (2 * two) for one, two in zip(found[way(kind, 1)], found[way(kind, 2)])]
    return {"median": median(ratios), "min": min(ratios), "max": max(ratios)}


def told(found: dict[str, Any], whole: Road, by_tiles: Road) -> dict[str, dict[str, float]]:
    """What is simulated of each turn with workers, as a part of what was measured: the median of all turns.

    Parameters
    ----------
    found : dict
        As `Turns.measured` gives it.
    whole, by_tiles : Road
        What this process does for an image on both ways; what workers take is that of each turn.
    """
    cases = {
        "image": ("tile", replace(by_tiles, tasks=found["tiles"], before=0.0, start=0.0), 1),
        "study": ("image", replace(whole, start=0.0), found["images"]),
    }
    parts: dict[str, dict[str, float]] = {}
    for work, (one, road, images) in cases.items():
        for count in COUNTS:
            pairs = zip(found["alone"][one], found[work][way(WORKERS, count)])
            ratios = [
                simulated(replace(road, worker=seconds), Cluster(count), images).seconds / measured
                for seconds, measured in pairs
            ]
            parts.setdefault(work, {})[way(WORKERS, count)] = median(ratios)
    return parts
