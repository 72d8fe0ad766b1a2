"""What becomes of each of many images, which this process or workers see to."""

from __future__ import annotations

import math
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Callable, Generator, Iterable, Iterator

from ..abilities import net_abilities, sampler_abilities
from ..algorithm import first_state, go_on
from ..budget import within
from ..errors import ExplanationError, ImageError, OutOfMemoryError
from ..executors.spread import Sizes, executor_with, in_turn, made_of, send_net, send_whole_net
from ..executors.tiles import Executor
from ..explanation import Explanation
from ..journal import Journal
from ..nets.recipes import Recipe
from ..plan import Analysis
from ..protocols import Net, Sampler
from ..stopping import PATIENCE, listen
from ..workers.protocol import LostWorkerError, Workers
from ..workers.spreading import AHEAD, Task, spread
from .one import Item, Outcome, Wish, outcome_of, sendable

#: Tiles of an image from which on workers get them one by one, and not the image as a whole: so much of the work and no
#: more is lost with a worker.
MANY_TILES = 64
#: Images whose tiles workers get at the same time, at least, so that the last tiles of one leave none of them idle, and
#: at most: each has its pixels and windows in memory here.
LANES, MOST_LANES = 2, 16
#: Images from which on they are never few: planning, drawing and writing one takes this process so long that workers
#: with tiles would wait for it, see docs/scaling.md.
MANY_IMAGES = 32


def outcomes(
    net: Net,
    items: Iterable[Item],
    sampler: Sampler,
    wish: Wish,
    *,
    count: int | None = None,
    workers: Workers | None = None,
    progress: Callable[[float, int | None], object] | None = None,
    checkpoint: Callable[[Item], Path | None] = lambda item: None,
) -> Generator[Outcome, None, None]:
    """What becomes of each image; ``checkpoint`` says where its tiles are kept. See `explain_many`.

    The first images are worked on alone until one was explained: what is wrong with the settings shows then.
    """
    work = _Work(net, sampler, wish, workers, checkpoint, _Told(progress, count))
    coming = iter(items)
    for item in coming:
        outcome = work.explained(item, first=True)
        yield work.told(outcome)
        if not outcome.error:
            break
    if workers is None:
        for item in coming:
            yield work.told(work.explained(item))
        return
    # images are few where workers would wait for the last ones
    many = min(2 * workers.count, MANY_IMAGES)
    head = [item for _, item in zip(range(many), coming)]
    rest = chain(head, coming)
    by_tiles = work.tiles > MANY_TILES or len(head) < many
    with closing(work.tile_by_tile(rest) if by_tiles else work.image_by_image(rest)) as found:
        for outcome in found:
            yield work.told(outcome)


def lanes_for(count: int, tiles: int) -> int:
    """Images under way at once, of which ``count`` workers get tiles, ``tiles`` each.

    While one is planned, drawn or at its last tiles, the others have as many as workers take.
    """
    wanted = 1 + math.ceil(AHEAD * count / max(1, tiles))
    return max(LANES, min(wanted, MOST_LANES))


@dataclass
class _Told:
    """Tells how many images are done, with what is done of those that are worked on; never less than before.

    Attributes
    ----------
    raised : Exception or None
        What the caller's function raised, which no image is to blame for.
    """

    progress: Callable[[float, int | None], object] | None
    count: int | None
    done: int = 0
    raised: Exception | None = None

    def __post_init__(self) -> None:
        self._parts: dict[int, float] = {}
        self._told = 0.0
        self._turn = threading.Lock()  # a few images are worked on by as many threads

    def part(self, number: int, done: int, total: int) -> None:
        """So many windows of an image are done."""
        with self._turn:
            self._parts[number] = done / total
            self._tell()

    def whole(self, number: int) -> None:
        """An image is done, or has failed."""
        with self._turn:
            self._parts.pop(number, None)
            self.done += 1
            self._tell()

    def _tell(self) -> None:
        # a stage of a refined image has more windows than the one before, and one that fails takes its part back
        self._told = max(self._told, self.done + sum(self._parts.values()))
        if self.progress is not None:
            try:
                self.progress(self._told, self.count)
            except Exception as error:
                self.raised = error
                raise


class _Work:
    """Images explained by one net and sampler, with whatever workers there are."""

    def __init__(
        self,
        net: Net,
        sampler: Sampler,
        wish: Wish,
        workers: Workers | None,
        checkpoint: Callable[[Item], Path | None],
        progress: _Told,
    ) -> None:
        self._net, self._sampler, self._wish, self._workers = net, sampler, wish, workers
        self._checkpoint, self._progress = checkpoint, progress
        #: Of the image that had the most.
        self.tiles = 0

    def told(self, outcome: Outcome) -> Outcome:
        """The same outcome, once it was told that it is there."""
        self._progress.whole(outcome.item.number)
        return outcome

    def explained(self, item: Item, *, first: bool = False) -> Outcome:
        """What becomes of an image that this process sees to; workers, where there are any, evaluate its tiles."""
        path = self._checkpoint(item)
        of_all: list[Exception] = []

        def windows(done: int, total: int) -> None:
            self._progress.part(item.number, done, total)

        def ends(wrong: Exception) -> bool:
            if first and not isinstance(wrong, ImageError):
                return isinstance(wrong, OutOfMemoryError) or not isinstance(wrong, MemoryError)
            return wrong in of_all or wrong is self._progress.raised

        def run(analysis: Analysis, executor: Executor) -> Explanation:
            wish = self._wish
            state = first_state(analysis, wish.memory, wish.batch_size)
            # tiles that lie there of another run are those of a file that has changed since
            try:
                with Journal(path, analysis.tiles_identity, state, outdated=lambda run: True) as journal:
                    self.tiles = max(self.tiles, len(analysis.tiles(int(journal.state["tile"]))))
                    return go_on(analysis, journal, progress=windows, executor=executor)
            except LostWorkerError:  # with a tile of this image, again and again
                raise
            except ExplanationError as wrong:  # tiles cannot be kept, or the scheduler is gone: so it would go on
                of_all.append(wrong)
                raise

        return outcome_of(
            self._net,
            self._sampler,
            item,
            self._wish,
            run,
            executor_with(self._workers, self._net, self._sampler),
            ends=ends,
        )

    def tile_by_tile(self, items: Iterator[Item]) -> Generator[Outcome, None, None]:
        """A few images at once, of which workers get tiles."""
        # between the stages of a refined map sampler and net are asked here
        count = 1 if self._workers is None else self._workers.count
        lanes = 1 if self._wish.settings.refines else lanes_for(count, self.tiles)
        stop = threading.Event()
        at_work: deque[Future[Outcome]] = deque()

        def explained(item: Item) -> Outcome:
            listen(stop)
            return self.explained(item)

        with ThreadPoolExecutor(lanes) as pool:
            try:
                for item in items:
                    at_work.append(pool.submit(copy_context().run, explained, item))
                    if len(at_work) == lanes:
                        yield _awaited(at_work.popleft())
                while at_work:
                    yield _awaited(at_work.popleft())
            finally:
                stop.set()
                for future in at_work:
                    future.cancel()

    def image_by_image(self, items: Iterator[Item]) -> Generator[Outcome, None, None]:
        """Whole images, each by a worker."""
        workers, wish = self._workers, self._wish
        if workers is None:
            return
        parcels = [send_net(workers, self._net), workers.send(self._sampler), workers.send(wish)]

        def send_whole() -> None:
            parcels[0] = send_whole_net(workers, self._net)

        sent: dict[int, Item] = {}

        def tasks() -> Iterator[Task]:
            for item in items:
                sent[item.number] = item
                try:
                    with within(wish.memory):
                        content = sendable(item)
                except ImageError as error:  # has its turn like any other, lest many of them be read at once
                    failed = Outcome(item._replace(source=None), None, str(error))
                    yield Task(item.number, _as_it_is, [], lambda lost, failed=failed: (failed,))  # type: ignore[misc]
                else:
                    yield Task(
                        item.number,
                        image_of,
                        parcels,
                        lambda lost, content=content: (content, lost),  # type: ignore[misc]
                        lambda error, item=item: Outcome(item._replace(source=None), None, str(error)),  # type: ignore[misc]
                    )

        for number, outcome in spread(workers, tasks(), send_whole):
            yield outcome._replace(item=sent.pop(number))


def _awaited(future: Future[Outcome]) -> Outcome:
    """What becomes of an image; whoever waits looks up, since not everywhere does Ctrl-C wake it."""
    while not wait([future], PATIENCE).done:
        pass
    return future.result()


def _as_it_is(outcome: Outcome) -> Outcome:
    """What became of an image that could not be sent; called by a worker."""
    return outcome


def image_of(net: Net | Recipe, sampler: Sampler, wish: Wish, item: Item, lost: int) -> Outcome:
    """What becomes of an image that a worker sees to from its file to what is made of its explanation.

    So many workers were ``lost`` with it before, perhaps since its batches took more memory than they have.
    """

    def run(analysis: Analysis, executor: Executor) -> Explanation:
        state = first_state(analysis, wish.memory, wish.batch_size)
        state["batch_size"] = Sizes(state["batch_size"]).after(lost)
        with Journal(None, analysis.tiles_identity, state) as journal:
            return go_on(analysis, journal, executor=executor)

    net = made_of(net)
    together = net_abilities(net).shared_by_threads and sampler_abilities(sampler).drawn_by_threads
    with in_turn(not together):
        outcome = outcome_of(net, sampler, item, wish, run, executor_with(None), ends=lambda wrong: False)
    return outcome._replace(item=item._replace(source=None))  # which need not go back
