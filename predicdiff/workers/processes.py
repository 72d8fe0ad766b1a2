"""Workers that are processes of this machine, each with its part of the processors, or a GPU of its own.

Each process has a pipe of its own, by which it gets one task after the other, and a thread here that waits for it. So
one that is killed takes its own task with it and nothing else, and another is started in its place. They end with this
process, however it ends, and leave Ctrl-C to it.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Callable, NamedTuple, Sequence

from ..budget import room
from ..cores import cores
from ..errors import ExplanationError, first_line
from ..scratch import folder
from .protocol import Answer, LostWorkerError, Parcel
from .working import Terms, answered, pack_into, result_of

#: What says to numerical libraries how many threads a process computes with, before they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
GPUS = "CUDA_VISIBLE_DEVICES"
#: Seconds that a process may take to end by itself.
PATIENCE = 5.0
#: Seconds between two looks whether a process that computes is there still.
LOOK = 1.0

_environment_turn = threading.Lock()


class _Asked(NamedTuple):
    """A task, and where its answer goes."""

    future: Future[Answer]
    message: tuple[Any, ...]


class Processes:
    """``count`` processes of this machine, started when they are needed.

    Parameters
    ----------
    count : int
    gpus : sequence of str
        For each process the GPU that it sees, as ``CUDA_VISIBLE_DEVICES`` has it; none for a processor's.
    """

    def __init__(self, count: int, *, gpus: Sequence[str] = ()) -> None:
        self.count = count
        self._share = max(1, min([cores() // count, *_threads_allowed()]))
        self._folder = _new_folder()
        self._sent: dict[int, tuple[Any, Parcel]] = {}
        self._numbers = itertools.count()
        self._tasks: SimpleQueue[_Asked | None] = SimpleQueue()
        self._closed = threading.Event()
        self._processes: dict[int, _Process] = {}
        self._turn = threading.Lock()  # to start a process, or to end them all
        self._sending = threading.Lock()  # several images may have their tiles evaluated at once
        self._threads = [
            threading.Thread(target=self._serve, args=(number, gpus[number] if gpus else None), daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, thing: Any) -> Parcel:
        """Write a thing into a file that each process reads once; see `Workers.send`."""
        with self._sending:
            if id(thing) not in self._sent:
                self._sent[id(thing)] = thing, self._written(thing)
            return self._sent[id(thing)][1]

    def forget(self, parcel: Parcel) -> None:
        """Delete a parcel's file."""
        with self._sending:
            self._sent = {key: sent for key, sent in self._sent.items() if sent[1] != parcel}
        with contextlib.suppress(OSError):
            parcel.content.unlink()

    def submit(self, work: Callable[..., Any], parcels: Sequence[Parcel], *arguments: Any) -> Future[Answer]:
        """Give a task to whichever process is free next."""
        future: Future[Answer] = Future()
        self._tasks.put(_Asked(future, (work, parcels, arguments, Terms(self._share, room()))))
        return future

    def close(self) -> None:
        """End all processes, also those at work, and delete what was sent."""
        self._closed.set()
        for _ in self._threads:
            self._tasks.put(None)
        with self._turn:
            for process in self._processes.values():
                process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes.values():
            process.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pids(self) -> list[int]:
        """Process numbers of those that are running."""
        with self._turn:
            return [process.pid for process in self._processes.values() if process.runs]

    def _written(self, thing: Any) -> Parcel:
        path = self._folder / f"{next(self._numbers)}.pickle"
        try:
            pack_into(path, thing)
        except OSError as error:
            raise _no_room(path, error) from error
        return Parcel(path.name, path)

    def _serve(self, number: int, gpu: str | None) -> None:
        """Give one process its tasks, and start another where it was lost; in a thread of its own."""
        while True:
            asked = self._tasks.get()
            if asked is None:
                return
            if not asked.future.set_running_or_notify_cancel():
                continue
            try:
                answer = self._running(number, gpu).ask(asked.message)
            except BaseException as error:  # whoever waits for the future raises it
                asked.future.set_exception(error)
            else:
                asked.future.set_result(answer)

    def _running(self, number: int, gpu: str | None) -> _Process:
        """The thread's own process, a new one where it is not there."""
        with self._turn:
            if self._closed.is_set():
                raise LostWorkerError("the workers were told to end.")
            there = self._processes.get(number)
            if there is None or not there.runs:
                if there is not None:
                    there.end()
                self._processes[number] = _Process(self._share, gpu, self._folder)
            return self._processes[number]


def _threads_allowed() -> Iterator[int]:
    """How many threads a user lets each process compute with, where that is said."""
    first = os.environ.get(THREADS[0], "").partition(",")[0].strip()  # of nested threads there may be further numbers
    if first.isdecimal() and int(first) > 0:
        yield int(first)


def _new_folder() -> Path:
    """Where what is sent lies, for nobody else to read: a corpus may be large, and /tmp memory."""
    try:
        return Path(tempfile.mkdtemp(prefix="predicdiff-", dir=folder()))
    except OSError as error:
        raise _no_room("the folder of temporary files", error) from error


def _no_room(place: object, error: OSError) -> ExplanationError:
    return ExplanationError(
        f"{place}: what workers need cannot be written ({error.strerror}). Make room there, or name another folder for "
        "temporary files in the environment's TMPDIR."
    )


class _Process:
    """A process, and this end of its pipe."""

    def __init__(self, share: int, gpu: str | None, sent: Path) -> None:
        # not forked: threads of this process may hold locks that would never be let go of in the other
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, sent), daemon=True)
        self._began = False
        with _environment(share, gpu), _without_interrupts():
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self._process.pid or 0)

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._process.is_alive()

    def ask(self, message: tuple[Any, ...]) -> Answer:
        """Have it do a task, and wait for the answer."""
        try:
            if not self._began:
                self._received()
                self._began = True
            self._pipe.send(message)
            good, answer, told = self._received()
        except (EOFError, OSError):
            self._process.join(PATIENCE)
            self.end()
            raise self._lost() from None
        return result_of(good, answer, told)

    def _received(self) -> Any:
        """What comes by the pipe, which a process that has ended may have left open: children of its own hold it."""
        while not self._pipe.poll(LOOK):
            if not self.runs and not self._pipe.poll():
                raise EOFError
        return self._pipe.recv()

    def kill(self) -> None:
        """Have it end at once; whoever waits for its answer learns that there is none."""
        self._process.kill()

    def end(self) -> None:
        """End it, and close the pipe, for which nobody may wait any more."""
        self.kill()
        self._process.join()
        self._pipe.close()

    def _lost(self) -> Exception:
        status = self._process.exitcode
        if not self._began and (status or 0) > 0:
            return ExplanationError(
                f"a worker process ended while it started (exit status {status}). A script that uses workers has to do "
                'so below `if __name__ == "__main__":`, since each worker reads it too.'
            )
        how = f"was killed by signal {-status}" if status and status < 0 else f"ended with exit status {status}"
        return LostWorkerError(f"the worker process {self.pid} {how}.")


@contextlib.contextmanager
def _environment(share: int, gpu: str | None) -> Iterator[None]:
    """The environment that a process is started with: how many threads, and which GPU."""
    wanted = {name: str(share) for name in THREADS}
    if gpu is not None:
        wanted[GPUS] = gpu
    with _environment_turn:
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that this thread starts, until they say themselves that they ignore it."""
    if not hasattr(signal, "pthread_sigmask"):  # another system
        yield
        return
    resource_tracker.ensure_running()  # which is started with the first process, and lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(pipe: Connection, sent: Path) -> None:
    """Do one task after the other that comes by a pipe, until it is closed; what a worker process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is told, and tells us
    if hasattr(signal, "pthread_sigmask"):  # it was kept off while this one started
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, args=(sent,), daemon=True).start()
    with contextlib.suppress(EOFError, OSError), pipe:  # closed at once: a stranger's threads may go on
        pipe.send("ready")
        while True:
            _send(pipe, answered(*pipe.recv()))


def _send(pipe: Connection, answer: tuple[bool, Any, str]) -> None:
    """Send an answer, or why that cannot be sent: of such a one nothing is on its way yet."""
    try:
        pipe.send(answer)
    except OSError:  # nobody is there
        raise
    except Exception as error:
        pipe.send(answered(_refused, (), (error,), Terms(None, room())))


def _refused(error: Exception) -> None:
    raise ExplanationError(f"a worker cannot send what it has made ({type(error).__name__}: {first_line(error)}).")


def _end_with_parent(sent: Path) -> None:
    """End this process as soon as the one that started it has; what was sent is deleted then, too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(sent, ignore_errors=True)
        os._exit(1)
