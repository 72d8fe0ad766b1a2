"""A study by many workers, simulated: what each of them, this process, the network and the scheduler have to do.

This process does one thing after the other, in the order in which there is something to do; so does the scheduler, and
the network between this process and the workers carries one message after the other. Each worker has as many tasks as
`workers.spreading` gives it, one at work and the others waiting.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from dataclasses import dataclass, replace
from typing import Callable, Iterator, Sequence

from predicdiff.studies.outcomes import lanes_for
from predicdiff.workers.spreading import AHEAD

#: Tasks that are simulated at most, and of each worker at least; what a longer study takes follows from their rate.
MOST_TASKS, LEAST_EACH = 20_000, 20
#: The part of a resource's time from which on it is the limit.
LIMITING = 0.85
GOAL = 0.9
#: Seconds of the smallest task that is tried, how close the one is found at which workers are busy enough, and tasks of
#: an image from which on it is told by what else is to be done alone.
LEAST_TASK, STEP, MOST_SIMULATED = 1e-3, 1.1, 2_000


@dataclass(frozen=True)
class Road:
    """What an image takes on its way: seconds, and bytes.

    Attributes
    ----------
    name : str
    tasks : int
        Of each image.
    worker : float
        Seconds of a worker for each task.
    before, after : float
        Seconds of this process for each image: until its first task can be given, and once all of them are done.
    giving, taking : float
        Seconds of this process for each task.
    out, back : int
        Bytes of a task and of its answer.
    luggage, net : int
        Bytes that a worker gets once of an image, and once at all.
    start : float
        Seconds of a worker before its first task.
    whole : bool
        Whether a task is a whole image, of which as many are under way as workers take.
    """

    name: str
    tasks: int
    worker: float
    before: float = 0.0
    giving: float = 0.0
    taking: float = 0.0
    after: float = 0.0
    out: int = 0
    back: int = 0
    luggage: int = 0
    net: int = 0
    start: float = 0.0
    whole: bool = True

    @property
    def here(self) -> float:
        """Seconds of this process for an image."""
        return self.before + self.tasks * (self.giving + self.taking) + self.after


@dataclass(frozen=True)
class Cluster:
    """Workers and what lies between them and this process: bytes a second, and the scheduler's seconds a task."""

    workers: int
    bandwidth: float = float("inf")
    scheduler: float = 0.0
    #: How many images are under way at once, of which workers get tiles; None as `studies.outcomes` has it.
    lanes: int | None = None


@dataclass(frozen=True)
class Simulated:
    """What was found.

    Attributes
    ----------
    seconds : float
        Until the last image is written.
    rate : float
        Images a second in the middle of the study.
    busy : dict
        The parts of their time that the workers, this process, the network and the scheduler are busy at this rate.
    limit : str
        Which of them is the limit, and what this process does most where it is; "images at once" where none is.
    """

    seconds: float
    rate: float
    busy: dict[str, float]
    limit: str

    @property
    def efficiency(self) -> float:
        """The part of their time that workers compute."""
        return self.busy["workers"]


class _Server:
    """Does one thing after the other, in the order in which it is asked."""

    def __init__(self) -> None:
        self.free = 0.0

    def take(self, now: float, seconds: float) -> float:
        """When it has done what it is asked for now."""
        self.free = max(now, self.free) + seconds
        return self.free


class _Study:
    """The state of a simulated study."""

    def __init__(self, road: Road, cluster: Cluster, images: int, factors: Sequence[float]) -> None:
        self._road, self._cluster, self._factors = road, cluster, factors
        self._events: list[tuple[float, int, Callable[..., None], tuple[int, ...]]] = []
        self._serial = itertools.count()
        self._draw = random.Random(0)
        self._here, self._scheduler, self._network = _Server(), _Server(), _Server()
        self._workers = [_Server() for _ in range(cluster.workers)]
        self._slots = deque(list(range(cluster.workers)) * AHEAD)
        asked = lanes_for(cluster.workers, road.tasks) if cluster.lanes is None else cluster.lanes
        self._lanes = len(self._slots) if road.whole else asked
        self._coming: Iterator[int] = iter(range(images))
        self._open = 0
        self._ready: deque[int] = deque()  # a number for each task that could be given
        self._left: dict[int, int] = {}
        self._there: dict[int, set[int]] = {}  # workers that have an image's luggage
        self._begun: set[int] = set()
        self.bytes = 0
        self.done: list[float] = []

    def run(self) -> None:
        """Work through all events."""
        self._feed(0.0)
        while self._events:
            now, _, happens, about = heapq.heappop(self._events)
            happens(now, *about)

    def _at(self, when: float, happens: Callable[..., None], *about: int) -> None:
        heapq.heappush(self._events, (when, next(self._serial), happens, about))

    def _feed(self, now: float) -> None:
        while self._open < self._lanes and (image := next(self._coming, None)) is not None:
            self._open += 1
            self._at(self._here.take(now, self._road.before), self._planned, image)
        while self._ready and self._slots:
            image, worker = self._ready.popleft(), self._slots.popleft()
            self._at(self._here.take(now, self._road.giving), self._scheduled, image, worker)

    def _planned(self, now: float, image: int) -> None:
        self._left[image], self._there[image] = self._road.tasks, set()
        self._ready.extend([image] * self._road.tasks)
        self._feed(now)

    def _scheduled(self, now: float, image: int, worker: int) -> None:
        self._at(self._scheduler.take(now, self._cluster.scheduler), self._sent, image, worker)

    def _sent(self, now: float, image: int, worker: int) -> None:
        size = self._road.out
        if worker not in self._begun:
            size += self._road.net
        if worker not in self._there[image]:
            self._there[image].add(worker)
            size += self._road.luggage
            self.bytes += self._road.luggage
        self.bytes += self._road.out + self._road.back
        self._at(self._network.take(now, size / self._cluster.bandwidth), self._arrived, image, worker)

    def _arrived(self, now: float, image: int, worker: int) -> None:
        seconds = self._road.worker * self._draw.choice(self._factors)
        if worker not in self._begun:
            self._begun.add(worker)
            seconds += self._road.start
        self._at(self._workers[worker].take(now, seconds), self._answered, image, worker)

    def _answered(self, now: float, image: int, worker: int) -> None:
        self._at(self._network.take(now, self._road.back / self._cluster.bandwidth), self._got, image, worker)

    def _got(self, now: float, image: int, worker: int) -> None:
        self._at(self._here.take(now, self._road.taking), self._taken, image, worker)

    def _taken(self, now: float, image: int, worker: int) -> None:
        self._slots.append(worker)
        self._left[image] -= 1
        if not self._left[image]:
            del self._left[image], self._there[image]
            self._at(self._here.take(now, self._road.after), self._written)
        self._feed(now)

    def _written(self, now: float) -> None:
        self.done.append(now)
        self._open -= 1
        self._feed(now)


def simulated(road: Road, cluster: Cluster, images: int, factors: Sequence[float] = (1.0,)) -> Simulated:
    """A study of so many images.

    Parameters
    ----------
    road : Road
    cluster : Cluster
    images : int
    factors : sequence of float
        How tasks differ from their mean, of which each draws one.
    """
    tried = min(images, max(MOST_TASKS, LEAST_EACH * cluster.workers) // road.tasks + 3)
    study = _Study(road, cluster, tried, factors)
    study.run()
    first, last = study.done[tried // 3], study.done[max(tried // 3, 2 * tried // 3)]
    between = max(tried // 3, 2 * tried // 3) - tried // 3
    rate = between / (last - first) if last > first else tried / study.done[-1]
    mean = sum(factors) / len(factors)
    busy = {
        "workers": min(1.0, rate * road.tasks * road.worker * mean / cluster.workers),
        "this process": rate * road.here,
        "network": rate * study.bytes / tried / cluster.bandwidth,
        "scheduler": rate * road.tasks * cluster.scheduler,
    }
    return Simulated(study.done[-1] + (images - tried) / rate, rate, busy, _limit(road, busy))


def _limit(road: Road, busy: dict[str, float]) -> str:
    name = max(busy, key=lambda name: busy[name])
    if busy[name] < LIMITING:
        return "images at once"
    if name != "this process":
        return name
    parts = {
        "reading" if road.whole else "planning": road.before,
        "tasks": road.tasks * (road.giving + road.taking),
        "writing" if road.whole else "drawing and writing": road.after,
    }
    return f"this process: {max(parts, key=lambda part: parts[part])}"


def smallest(road: Road, cluster: Cluster, goal: float = GOAL) -> float | None:
    """Seconds of a worker that a task has to take for workers to be busy for so large a part of their time.

    Of tiles there are fewer then, since an image takes as long as before; None where not even whole images do, each one
    tile. Where tasks are whole images, images get longer.
    """
    total = road.tasks * road.worker
    seconds, most = LEAST_TASK, (float("inf") if road.whole else total)
    while seconds < most * STEP:
        seconds = min(seconds, most)
        other = replace(road, worker=seconds) if road.whole else tiles_of(road, seconds)
        if bound(other, cluster) >= goal and (
            other.tasks > MOST_SIMULATED or simulated(other, cluster, _enough(other, cluster)).efficiency >= goal
        ):
            return other.worker
        seconds *= STEP
    return None


def tiles_of(road: Road, seconds: float) -> Road:
    """The same image in tiles of about so many seconds each."""
    total = road.tasks * road.worker
    tasks = max(1, round(total / seconds))
    return replace(road, tasks=tasks, worker=total / tasks)


def bound(road: Road, cluster: Cluster) -> float:
    """What no study is above: the part of their time that workers can be busy, for what else is to be done."""
    sent = road.tasks * (road.out + road.back) + road.luggage * max(1, min(road.tasks, cluster.workers) // 2)
    least = max(road.here, road.tasks * cluster.scheduler, sent / cluster.bandwidth)
    ideal = road.tasks * road.worker / cluster.workers
    return min(1.0, ideal / least) if least else 1.0


def _enough(road: Road, cluster: Cluster) -> int:
    """Images that show how busy workers are in the middle of a study."""
    return max(9, LEAST_EACH * cluster.workers // road.tasks)
