"""Attacks run in processes of their own, with bounds on CPU seconds, memory and wall time, and what comes of each.

A process that has imported everything is started once (`Server`). It forks for a run of attacks, so that each costs
no import, and forks again behind one that kills its process. An attack is an importable function that is given a folder
of its own and arguments. It may return, or raise a PredicdiffError of one readable line; all else is a failure.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Sequence

VALUE, SENTENCE = "value", "sentence"
TRACEBACK, DEATH, SLOW, MEMORY, NOISE, LEFT, MESSAGE = (
    "traceback", "death", "slow", "memory", "noise", "left behind", "message",
)  # fmt: skip
#: An error's message is at most so long.
MOST_LETTERS = 2000


class Bounds(NamedTuple):
    """What one attack may take: CPU seconds, bytes beyond what the process had before, and seconds by the clock."""

    cpu: float = 2.0
    memory: int = 500_000_000
    wall: float = 60.0
    #: how lines begin that a library writes to stderr and that nobody can keep it from
    chatter: str = "\0"
    #: whether a sentence will do where the system refused what a library asked for at once, before it took any
    claims: bool = False


USUAL = Bounds()


class Attack(NamedTuple):
    """A function, as "module:name", and what it is given after the folder; ``name`` is for reports."""

    function: str
    arguments: tuple[Any, ...] = ()
    name: str = ""


class Outcome(NamedTuple):
    """What came: its kind, the value's or error's text, CPU seconds, and bytes taken at the peak."""

    kind: str
    text: str
    cpu: float = 0.0
    peak: int = 0

    @property
    def good(self) -> bool:
        """Whether that is what a user may be given."""
        return self.kind in (VALUE, SENTENCE)


class Server:
    """A process that has imported ``modules`` and forks for attacks; a context manager."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        tests = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join([tests, str(Path(tests).parent), os.environ.get("PYTHONPATH", "")])
        # threads of a library would not live on in a fork
        environment = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="agg")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.bounded", *modules],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip

    def run(self, attacks: Sequence[Attack], bounds: Bounds | None = USUAL) -> list[Outcome]:
        """What comes of each attack, in order."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump((list(attacks), bounds), self.process.stdin)
        self.process.stdin.flush()
        answer: list[Outcome] = pickle.load(self.process.stdout)
        return answer

    def prepare(self, attack: Attack) -> None:
        """Call a function in the process that forks, for what it imports and keeps."""
        self.run([attack], None)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate()


def serve(modules: Sequence[str]) -> None:
    """Answer requests on standard input until it ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an import prints is no answer
    for module in modules:
        importlib.import_module(module)
    while True:
        try:
            attacks, bounds = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(_prepared(attacks[0]) if bounds is None else _all_outcomes(attacks, bounds), answers)
        answers.flush()


def _prepared(attack: Attack) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _call(attack, Path(folder))
    return []


def _call(attack: Attack, folder: Path) -> Any:
    module, _, name = attack.function.partition(":")
    (folder / "out").mkdir()
    return vars(importlib.import_module(module))[name](folder, *attack.arguments)


def _all_outcomes(attacks: Sequence[Attack], bounds: Bounds) -> list[Outcome]:
    done: list[Outcome] = []
    while len(done) < len(attacks):
        with tempfile.TemporaryDirectory(prefix="fuzz") as place:
            done.extend(_forked(attacks[len(done) :], bounds, Path(place)))
    return done


def _forked(attacks: Sequence[Attack], bounds: Bounds, place: Path) -> list[Outcome]:
    """Outcomes of the attacks that one process lived to see, the last of which may be its death."""
    reading, writing = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            reading.close()
            _attack_all(attacks, bounds, place, writing)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    writing.close()
    with reading:
        done = list(_received(reading, len(attacks), bounds.wall))
    with contextlib.suppress(ProcessLookupError):  # with whatever it has started
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    if len(done) < len(attacks):
        done.append(_death(status, bounds, usage, _text(place)))
    return done


def _received(pipe: Any, most: int, wall: float) -> Iterator[Outcome]:
    """Outcomes as they come, until the pipe ends or none comes for so many seconds."""
    with contextlib.suppress(EOFError):
        for _ in range(most):
            if not pipe.poll(wall):
                return
            yield pipe.recv()


def _death(status: int, bounds: Bounds, usage: Any, text: str) -> Outcome:
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGKILL:
        return Outcome(SLOW, f"nothing came for {bounds.wall:g} s. {text}", cpu, peak)
    if number == signal.SIGXCPU:
        return Outcome(SLOW, f"more than {bounds.cpu:g} s of CPU. {text}", cpu, peak)
    how = signal.Signals(number).name if number else f"exit status {os.WEXITSTATUS(status)}"
    return Outcome(DEATH, f"{how}. {text}", cpu, peak)


def _attack_all(attacks: Sequence[Attack], bounds: Bounds, place: Path, answers: Any) -> None:
    """In the forked process: one attack after the other, each outcome sent as soon as it is there."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    told = os.open(str(place / "told"), os.O_RDWR | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, number in ((nothing, 0), (told, 1), (told, 2)):
        os.dup2(stream, number)
    for attack in attacks:
        answers.send(_attacked(attack, bounds, place))


def _attacked(attack: Attack, bounds: Bounds, place: Path) -> Outcome:
    os.truncate(str(place / "told"), 0)
    with tempfile.TemporaryDirectory(dir=str(place)) as folder, tempfile.TemporaryDirectory(dir=str(place)) as scratch:
        tempfile.tempdir = os.environ["TMPDIR"] = scratch
        os.chdir(scratch)
        before, cpu = _bound(bounds), time.process_time()
        kind, text, said = _tried(attack, Path(folder), bounds.claims)
        cpu, peak = time.process_time() - cpu, max(0, _peak() - before)
        _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        os.chdir(str(place))
        tempfile.tempdir = None
        sys.stdout.flush()
        sys.stderr.flush()
        said += "".join(line for line in _text(place).splitlines(True) if not line.startswith(bounds.chatter))
        left = [*os.listdir(scratch), *(os.listdir(f"{folder}/out") if kind != VALUE else ())]
    outcome = Outcome(kind, text, cpu, peak)
    if not outcome.good:
        return outcome
    if cpu > bounds.cpu:
        return outcome._replace(kind=SLOW, text=f"{cpu:.1f} s of CPU, then: {text}")
    if peak > bounds.memory:
        return outcome._replace(kind=MEMORY, text=f"{peak / 1e6:.0f} MB at the peak, then: {text}")
    if said:
        return outcome._replace(kind=NOISE, text=said)
    return outcome._replace(kind=LEFT, text=f"{left}, after: {text}") if left else outcome


def _bound(bounds: Bounds) -> int:
    """Set this process' limits from here on; the bytes that it has in memory now."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak so far is forgotten
    spent = time.process_time()
    # the system counts whole seconds; what is a little above the bound is seen afterwards
    soft = int(spent + bounds.cpu) + 1
    _limit(resource.RLIMIT_CPU, soft)
    # addresses are not memory: libraries take some that they never touch
    _limit(resource.RLIMIT_AS, _status("VmSize") + bounds.memory + 256_000_000)
    return _status("VmRSS")


def _limit(of: int, soft: int) -> None:
    """Set a limit, as far as those that this process came with allow."""
    hard = resource.getrlimit(of)[1]
    resource.setrlimit(of, (soft if hard == resource.RLIM_INFINITY or 0 <= soft < hard else hard, hard))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":"))


def _tried(attack: Attack, folder: Path, claims: bool) -> tuple[str, str, str]:
    """The kind and text of what an attack gives, and what it warned of or printed."""
    from predicdiff.errors import ConfidenceWarning, InputWarning, PredicdiffError

    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as heard, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            kind, text = VALUE, repr(_call(attack, folder))[:MOST_LETTERS]
        except PredicdiffError as error:
            kind, text = _of_error(error, claims)
        except BaseException as error:  # SystemExit as well
            kind = MEMORY if isinstance(error, MemoryError) else TRACEBACK
            text = traceback.format_exc()[-MOST_LETTERS:]
    strange = [entry for entry in heard if not issubclass(entry.category, (ConfidenceWarning, InputWarning))]
    said = "".join(f"{entry.filename}:{entry.lineno}: {entry.message}\n" for entry in strange)
    return kind, text, said + printed.getvalue()


def _of_error(error: BaseException, claims: bool) -> tuple[str, str]:
    """A sentence, or memory that ran out behind it, or a message that is none."""
    text = str(error)
    reasons: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and behind not in reasons:
        reasons.append(behind)
        behind = behind.__cause__ or behind.__context__
    if not claims and any(type(reason) is MemoryError or "allocate memory" in str(reason) for reason in reasons[1:]):
        return MEMORY, text[:MOST_LETTERS]
    # a list of several findings is one line each
    if not text.strip() or len(text) > MOST_LETTERS or not text.replace("\n", "").isprintable():
        return MESSAGE, f"{len(text)} letters: {text[:MOST_LETTERS]!r}"
    return SENTENCE, text


def _text(place: Path) -> str:
    """What was written to the file descriptors 1 and 2."""
    with contextlib.suppress(OSError), open(str(place / "told"), "rb") as file:
        return file.read(MOST_LETTERS).decode("utf-8", "replace")
    return ""


if __name__ == "__main__":
    # by its importable name, since requests are pickled with it
    importlib.import_module("fuzz.bounded").serve(sys.argv[1:])
