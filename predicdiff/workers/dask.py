"""Workers of a Dask cluster, by a client that the user has.

Each task is given to one worker that is named, and to no other: Dask would give it to the next worker by itself, four
times, and nobody here would learn that it may take too much memory. So a thread watches which workers there are, and
what those that are gone were given is given anew. What is sent is held by workers, who hand it on to each other, and
not by the scheduler; where the last one that had it is lost, it is sent again.
"""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Sequence

from ..budget import room
from ..cores import cores
from ..errors import DependencyError, ExplanationError, InputWarning, SettingsError, first_line, warn
from ..extras import imported
from ..stopping import check_stopped
from .clients import ANSWERS, LEAST, connected, signs_of_loss
from .protocol import Answer, LostWorkerError, Parcel, UnbegunError
from .versions import check_versions, versions
from .working import Terms, answered, loaded, packed, result_of

#: What a worker evaluates: a worker that cannot load a function of a package which it lacks would end.
TASK = f"__import__({__name__!r}, fromlist=['task']).task(*arguments)"
#: Seconds between two looks at which workers there are.
LOOK = 0.5
#: Seconds that a scheduler which is gone is waited for.
PATIENCE = 300.0
#: Seconds after which it is said that no worker is there.
QUIET = 30.0


class _Sent:
    """A thing; its pickled bytes until they are sent, and then what stands for them on the cluster."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self.content: bytes | None = _packed(thing)
        self.there: Any = None


@dataclass
class _Given:
    """A task that a worker was given: who waits for it here, Dask's own future, and whether the worker has done it."""

    future: Future[Answer]
    theirs: Any
    done: bool = False


class DaskWorkers:
    """The workers of a cluster, each of whose threads takes a task at a time.

    Parameters
    ----------
    client : distributed.Client
        It is left open.

    Raises
    ------
    DependencyError
        If Dask is too old.
    SettingsError
        If the client is an asynchronous one.
    """

    def __init__(self, client: Any) -> None:
        self._distributed = imported("distributed", "dask", least=LEAST)
        if client.asynchronous:
            raise SettingsError("the Dask client is asynchronous: want one that was made without asynchronous=True.")
        self._client, self._users = client, client
        self._address, self._security = client.scheduler.address, client.security
        self._versions = versions()
        self._gone = signs_of_loss(self._distributed)
        self._sent: dict[str, _Sent] = {}
        self._given: dict[str, dict[Future[Answer], _Given]] = {}
        self._threads: dict[str, int] = {}
        # several images may have their tiles evaluated at once, each by a thread of this process
        self._turn, self._sending, self._looking = threading.RLock(), threading.Lock(), threading.Lock()
        self._closed = threading.Event()
        self._look()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def count(self) -> int:
        """Threads of all workers that there are at this moment."""
        return max(1, sum(self._threads.values()))

    def send(self, thing: Any) -> Parcel:
        """Pack a thing; it goes on its way with the first task that needs it. See `Workers.send`."""
        with self._sending:
            for key, sent in self._sent.items():
                if sent.thing is thing:
                    return Parcel(key, None)
            key = f"predicdiff-{uuid.uuid4().hex}"
            self._sent[key] = _Sent(thing)
            return Parcel(key, None)

    def forget(self, parcel: Parcel) -> None:
        """Have the cluster forget a parcel."""
        with self._sending:
            self._sent.pop(parcel.key, None)

    def submit(self, work: Callable[..., Any], parcels: Sequence[Parcel], *arguments: Any) -> Future[Answer]:
        """Give a task to the worker that has the least to do; waits for one, and for the scheduler, if need be.

        Raises
        ------
        ExplanationError
            If the scheduler is gone and does not come back.
        """
        call = _packed((work, arguments))
        until = time.monotonic() + PATIENCE
        while True:
            check_stopped()
            address = self._free_worker()
            try:
                return self._submitted(address, [parcel.key for parcel in parcels], call)
            except self._gone as error:
                if time.monotonic() > until:
                    raise self._unreached(error) from error
                self._look()
                time.sleep(LOOK)

    def close(self) -> None:
        """Cancel what waits, and have the cluster forget what was sent; what is at work ends by itself."""
        self._closed.set()
        with self._turn:
            given = [one for tasks in self._given.values() for one in tasks.values()]
            self._given.clear()
        for one in given:
            one.future.cancel()
            _cancel(one.theirs, self._gone)
        self._sent.clear()
        if self._client is not self._users:
            self._client.close()

    def _submitted(self, address: str, keys: list[str], call: bytes) -> Future[Answer]:
        contents = [self._content(key, address) for key in keys]
        future: Future[Answer] = Future()
        with self._turn:
            theirs = self._client.submit(
                eval, TASK, {"arguments": [self._versions, keys, call, room(), *contents]},
                key=f"predicdiff-task-{uuid.uuid4().hex}", pure=False, workers=[address], allow_other_workers=False,
            )  # fmt: skip
            given = _Given(future, theirs)
            self._given.setdefault(address, {})[future] = given
        future.add_done_callback(lambda done: _cancel(theirs, self._gone) if done.cancelled() else None)
        theirs.add_done_callback(lambda _: self._done(address, given))
        return future

    def _content(self, key: str, address: str) -> Any:
        """What stands for a parcel on the cluster, where it is sent to a worker unless it is there."""
        with self._sending:
            sent = self._sent[key]
            if sent.there is None or sent.there.status != "finished":
                content = _packed(sent.thing) if sent.content is None else sent.content
                sent.there = self._client.scatter(content, workers=[address], hash=False, timeout=ANSWERS)
                sent.content = None
            return sent.there

    def _done(self, address: str, given: _Given) -> None:
        """Hand on what became of a task; called by a thread of Dask's."""
        answer, error = None, None
        given.done = given.theirs.status == "finished"  # whatever becomes of its worker until the answer is here
        try:
            answer = self._answer(given.theirs)
        except BaseException as raised:  # whoever waits for the future raises it
            error = raised
        if isinstance(error, UnbegunError):
            self._look()  # if its worker is gone, this tells whether the task had begun
        with self._turn:
            self._given.get(address, {}).pop(given.future, None)
        self._settle(given.future, answer, error)

    def _answer(self, theirs: Any) -> Answer:
        """A task's answer; its error, or that of losing it, is raised."""
        try:
            good, answer, told = theirs.result()
        except self._distributed.KilledWorker as error:
            raise LostWorkerError(first_line(error)) from None
        except Exception as error:
            if theirs.status == "error":
                raise _not_run(error) from error
            raise UnbegunError(f"Dask lost a task ({first_line(error)}).") from None
        return result_of(good, answer, told)

    def _settle(self, future: Future[Answer], answer: Answer | None, error: BaseException | None) -> None:
        with self._turn:
            if future.done() or not future.set_running_or_notify_cancel():
                return
            if error is not None:
                future.set_exception(error)
            elif answer is not None:
                future.set_result(answer)

    def _free_worker(self) -> str:
        """The address of the worker with the fewest tasks for its threads; waits until there is one."""
        quiet = time.monotonic() + QUIET
        while True:
            check_stopped()
            self._connect()
            with self._turn:
                if self._threads:
                    return min(self._threads, key=lambda at: len(self._given.get(at, ())) / max(1, self._threads[at]))
            if time.monotonic() > quiet:
                warn(f"the scheduler {self._address} has no workers: waits until there are some.", InputWarning)
                quiet = float("inf")
            self._look()
            time.sleep(LOOK / 5)

    def _connect(self) -> None:
        """Wait until the client has its scheduler, again where that was lost; an ExplanationError after minutes."""
        until = time.monotonic() + PATIENCE
        while self._client.status != "running":
            check_stopped()
            if self._closed.is_set():
                raise LostWorkerError("the workers were told to end.")
            if time.monotonic() > until:
                raise self._unreached(None)
            if self._client.status == "closed":  # it has given up
                with suppress(*self._gone):
                    self._client = connected(self._distributed, self._address, security=self._security)
            time.sleep(LOOK / 5)

    def _unreached(self, error: BaseException | None) -> ExplanationError:
        why = "" if error is None else f" ({first_line(error)})"
        return ExplanationError(
            f"the scheduler {self._address} is gone, and did not come back in {PATIENCE:.0f} s{why}. What is finished "
            "is kept: start it anew, and then the same command."
        )

    def _watch(self) -> None:
        """Look which workers there are, again and again, in a thread of its own."""
        while not self._closed.wait(LOOK):
            if self._client.status == "running":
                self._look()

    def _look(self) -> None:
        """See which workers there are, and give back what those that are gone were given."""
        with self._looking:
            try:
                there = dict(self._client.nthreads())
            except self._gone:  # the scheduler is: whoever submits waits for it
                return
            with self._turn:
                before, self._threads = self._threads, there
                gone = {at: self._given.pop(at) for at in list(self._given) if at not in there}
            for address, tasks in gone.items():
                # a worker's threads take tasks in the order in which they were given
                at_work = [one.future for one in tasks.values() if not one.done][: before.get(address, 1)]
                for given in tasks.values():
                    kind = LostWorkerError if given.future in at_work else UnbegunError
                    self._settle(given.future, None, kind(f"the worker {address} was lost."))
                    _cancel(given.theirs, self._gone)


def _cancel(theirs: Any, gone: tuple[type[BaseException], ...]) -> None:
    with suppress(*gone):
        theirs.cancel()


def _not_run(error: BaseException) -> Exception:
    """The sentence for a task that a worker could not even begin."""
    if isinstance(error, (ImportError, AttributeError)) and "predicdiff" in str(error):
        return DependencyError(
            f"a worker of Dask has no predicdiff, or another version ({first_line(error)}): install {versions()} there."
        )
    return ExplanationError(f"Dask could not run a task ({type(error).__name__}: {first_line(error)}).")


def task(wanted: dict[str, str], keys: list[str], call: bytes, memory: int, *contents: bytes) -> tuple[Any, ...]:
    """What a worker of Dask calls: a task with the contents of its parcels, see `working.answered`."""
    from distributed import get_worker

    worker = get_worker()
    try:
        check_versions(wanted, worker.address)
    except DependencyError as error:
        return False, error, ""
    terms = Terms(max(1, cores() // max(1, worker.state.nthreads)), memory)
    return answered(_called, [Parcel(*one) for one in zip(keys, contents)], (call,), terms)


def _called(*things: Any) -> Any:
    """What the work, which comes last and is pickled with its arguments, makes of what was sent."""
    work, arguments = loaded(things[-1])
    return work(*things[:-1], *arguments)


def _packed(thing: Any) -> bytes:
    """A thing's pickled bytes; classes and functions of a script or a notebook go along with what is made of them."""
    return packed(thing, imported("cloudpickle", "dask").dumps)
