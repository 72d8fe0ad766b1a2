"""Tasks given to workers that are threads of this process, some of which are lost with what they were given."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, Callable, Iterator, Sequence

import pytest

from predicdiff.errors import ExplanationError, InputWarning
from predicdiff.workers.protocol import Answer, LostWorkerError, Parcel, UnbegunError
from predicdiff.workers.spreading import AHEAD, TRIES, Task, spread


class Threads:
    """Workers that are threads; ``ends`` says by a task's number and how often it came how it ends."""

    def __init__(self, count: int, ends: Callable[[Any, int], Exception | None] = lambda value, time: None) -> None:
        self.count, self.ends = count, ends
        self.pool = ThreadPoolExecutor(8)
        self.given: list[Any] = []
        self.futures: list[Future[Answer]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def submit(self, work: Callable[..., Any], parcels: Sequence[Parcel], *arguments: Any) -> Future[Answer]:
        self.given.append(arguments)
        end = self.ends(arguments[0], sum(before[0] == arguments[0] for before in self.given))

        def done() -> Answer:
            self.go_on.wait(60)
            if end is not None:
                raise end
            return Answer(work(*arguments), [("odd", InputWarning)])

        self.futures.append(self.pool.submit(done))
        return self.futures[-1]

    def send(self, thing: Any) -> Parcel:
        return Parcel("", thing)

    def forget(self, parcel: Parcel) -> None:
        pass

    def close(self) -> None:
        self.pool.shutdown()


def double(value: int, lost: int) -> tuple[int, int]:
    return 2 * value, lost


def tasks(count: int, begun: list[int] | None = None) -> Iterator[Task]:
    for number in range(count):
        if begun is not None:
            begun.append(number)
        yield Task(f"task {number}", double, [], lambda lost, number=number: (number, lost))  # type: ignore[misc]


def spread_over(workers: Threads, count: int = 20) -> dict[Any, Any]:
    with pytest.warns(InputWarning, match="odd") as told:
        answers = dict(spread(workers, tasks(count)))
    assert len(told) == 1, "what all tasks warn of is said once"
    workers.close()
    return answers


def test_every_task_is_answered_by_its_key() -> None:
    assert spread_over(Threads(3)) == {f"task {number}": (2 * number, 0) for number in range(20)}


def test_no_tasks_give_no_answers() -> None:
    assert list(spread(Threads(2), iter(()))) == []


def test_so_many_tasks_are_under_way_as_keep_the_workers_there_are_at_work() -> None:
    workers = Threads(2)
    begun: list[int] = []
    workers.go_on.clear()
    answers = spread(workers, tasks(50, begun))
    thread = threading.Timer(0.2, workers.go_on.set)
    thread.start()
    with pytest.warns(InputWarning, match="odd"):
        next(answers)
    assert len(begun) == AHEAD * 2
    workers.count = 5  # three join
    next(answers)
    assert len(begun) == AHEAD * 5 + 1
    answers.close()  # type: ignore[attr-defined]
    workers.close()


def test_a_task_whose_worker_was_lost_is_given_anew_and_learns_how_often() -> None:
    lost = LostWorkerError("killed")
    answers = spread_over(Threads(2, lambda value, time: lost if value % 3 == 0 and time <= value // 3 else None), 10)
    assert answers == {f"task {n}": (2 * n, n // 3 if n % 3 == 0 else 0) for n in range(10)}


def test_a_task_that_was_not_begun_is_given_anew_as_if_it_had_not_been() -> None:
    lost = UnbegunError("killed")
    answers = spread_over(Threads(2, lambda value, time: lost if value == 2 and time < 3 * TRIES else None), 5)
    assert answers["task 2"] == (4, 0)


@pytest.mark.parametrize("error", [LostWorkerError("killed by signal 9"), CancelledError("killed by signal 9")])
def test_a_task_with_which_all_workers_are_lost_is_given_up(error: Exception) -> None:
    workers = Threads(2, lambda value, time: error if value == 2 else None)
    with pytest.warns(InputWarning, match="odd"), pytest.raises(
        LostWorkerError,
        match=rf"^{TRIES} workers were lost one after the other with the same task \(killed by signal 9\)",
    ):
        dict(spread(workers, tasks(5)))
    assert [lost for value, lost in workers.given if value == 2] == list(range(TRIES))


def test_what_a_task_raises_comes_out_and_the_rest_is_cancelled() -> None:
    workers = Threads(4, lambda value, time: ExplanationError("wrong") if value == 0 else None)
    workers.pool.shutdown()
    workers.pool = ThreadPoolExecutor(1)  # the others wait for this one
    with pytest.raises(ExplanationError, match="wrong"):
        dict(spread(workers, tasks(50)))
    workers.close()
    assert len(workers.given) <= AHEAD * 4
    assert any(future.cancelled() for future in workers.futures)
