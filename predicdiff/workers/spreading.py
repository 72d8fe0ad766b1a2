"""Tasks given to workers as they become free, and given anew where a worker was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue
from typing import Any, Callable, NamedTuple, Sequence

from ..errors import warn
from ..stopping import next_of
from .protocol import Answer, LostWorkerError, NotMadeError, Parcel, UnbegunError, Workers

#: Tasks that are under way for each worker: one at work, and one that waits for it.
AHEAD = 2
#: How often a task is given to workers before it is given up.
TRIES = 6


class Task(NamedTuple):
    """What a worker is to do.

    Attributes
    ----------
    key : object
        By which the answer is known.
    work : callable
        A function of a module, so that it can be pickled.
    parcels : sequence of Parcel
    arguments : callable
        Of how many workers were lost with this task, the further arguments: it may have taken too much memory.
    given_up : callable, optional
        Makes a value of the error where so many workers were lost with it that it is to blame; without it, that ends
        all tasks.
    """

    key: Any
    work: Callable[..., Any]
    parcels: Sequence[Parcel]
    arguments: Callable[[int], tuple[Any, ...]]
    given_up: Callable[[LostWorkerError], Any] | None = None


def spread(
    workers: Workers, tasks: Iterable[Task], not_made: Callable[[], object] = lambda: None
) -> Iterator[tuple[Any, Any]]:
    """Keys and values of tasks, in the order in which they are done; what workers warned of is warned of here, once.

    Parameters
    ----------
    workers : Workers
    tasks : iterable of Task
    not_made : callable
        Called where a worker cannot make a thing that it was told of, to put other parcels into the tasks' lists.

    Raises
    ------
    LostWorkerError
        If so many workers were lost with one task that it is to blame.
    """
    coming = iter(tasks)
    done: SimpleQueue[Future[Answer]] = SimpleQueue()
    at_work: dict[Future[Answer], tuple[Task, int]] = {}
    said: set[tuple[str, type[Warning]]] = set()

    def give(task: Task, lost: int) -> None:
        future = workers.submit(task.work, task.parcels, *task.arguments(lost))
        at_work[future] = task, lost
        future.add_done_callback(done.put)

    try:
        while True:
            while len(at_work) < AHEAD * workers.count:
                task = next(coming, None)
                if task is None:
                    break
                give(task, 0)
            if not at_work:
                return
            future = next_of(done)
            task, lost = at_work.pop(future)
            try:
                answer = future.result()
            except UnbegunError as error:
                if isinstance(error, NotMadeError):
                    not_made()
                give(task, lost)
                continue
            except (LostWorkerError, CancelledError) as error:
                if lost + 1 < TRIES:
                    give(task, lost + 1)
                    continue
                to_blame = LostWorkerError(
                    f"{TRIES} workers were lost one after the other with the same task ({error}): perhaps it takes "
                    "more memory than they have. Allow less memory or smaller batches, or use fewer workers."
                )
                if task.given_up is None:
                    raise to_blame from None
                yield task.key, task.given_up(to_blame)
                continue
            for warning in answer.warned:
                if warning not in said:
                    said.add(warning)
                    warn(*warning)
            yield task.key, answer.value
    finally:
        for future in at_work:
            future.cancel()
