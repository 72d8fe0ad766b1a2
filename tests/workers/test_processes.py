"""Workers that are processes of this machine: killed, interrupted, left behind or asked for what they can't do."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from helpers.peak import peak
from helpers.places import ROOT
from helpers.worked import SHAPE, Alone, Broken, BrokenError, Doubtful, Full, Hungry, Slow, bits, here, planned

from predicdiff import scratch
from predicdiff.algorithm import run
from predicdiff.errors import ExplanationError, InputWarning, SettingsError
from predicdiff.executors.spread import Spread
from predicdiff.workers import processes
from predicdiff.workers.processes import THREADS, Processes
from predicdiff.workers.protocol import LostWorkerError

PATIENCE = 60  # seconds for whatever is waited for


@pytest.fixture(scope="module")
def workers() -> Iterator[Processes]:
    """Two that no test kills."""
    made = Processes(2)
    yield made
    made.close()


def there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("kills", "samples", "seed"),
    [(3, 160, 1), pytest.param(20, 320, 2, marks=pytest.mark.whole)],
    ids=["three", "twenty"],
)
def test_processes_killed_at_random_moments_lose_no_tile(kills: int, samples: int, seed: int, tmp_path: Path) -> None:
    plan, path, choice = planned(Slow(), samples=samples), tmp_path / "cat.tiles", random.Random(seed)
    moments = sorted(choice.sample(range(len(plan.origins) * 9 // 10), kills))
    workers, so_far, end = Processes(2), [0], threading.Event()
    killed: list[int] = []

    def kill() -> None:
        for moment in moments:
            while (so_far[0] < moment or not workers.pids) and not end.wait(0.005):
                pass
            if end.wait(choice.uniform(0, 0.2)):
                return
            there = workers.pids
            if there:  # else others are just being started in their place
                killed.append(choice.choice(there))
                os.kill(killed[-1], signal.SIGKILL)

    def progress(done: int, total: int) -> None:
        so_far[0] = done

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        result = run(plan, batch_size=16, checkpoint=path, executor=Spread(workers), progress=progress)
    finally:
        end.set()
        killer.join()
        workers.close()
    assert len(killed) == kills
    assert bits(result) == here(samples)
    assert result.provenance["batch_size"] == 16
    again = run(planned(Slow(), samples=samples), batch_size=16, checkpoint=path)
    assert again.provenance["windows_before"] == len(plan.origins)


@pytest.mark.whole
def test_memory_that_runs_out_and_takes_the_process_with_it_ends_with_smaller_batches() -> None:
    workers = Processes(2)
    try:
        result = run(planned(Hungry(room=5, first=os.getpid())), batch_size=16, executor=Spread(workers))
    finally:
        workers.close()
    assert result.provenance["batch_size"] == 4
    assert bits(result) == here(batch_size=4)


def test_memory_that_is_said_to_have_run_out_ends_with_smaller_batches(workers: Processes) -> None:
    result = run(planned(Full(SHAPE, gain=0.4, dtype=np.float32)), batch_size=16, executor=Spread(workers))
    assert result.provenance["batch_size"] == 4
    assert bits(result) == here(batch_size=4)


def test_a_net_that_threads_cannot_share_is_computed_by_processes(workers: Processes) -> None:
    result = run(planned(Alone(SHAPE, gain=0.4, dtype=np.float32)), batch_size=16, executor=Spread(workers))
    assert bits(result) == here()


def test_an_error_in_a_worker_comes_out_as_it_is_with_where_it_was_raised(workers: Processes) -> None:
    with pytest.raises(BrokenError, match="the corpus is gone") as caught:
        run(planned(sampler=Broken()), executor=Spread(workers))
    assert "in draw" in str(caught.value.__cause__)


def test_what_workers_warn_of_is_warned_of_here_once(workers: Processes) -> None:
    with pytest.warns(InputWarning, match="the corpus is small") as told:
        result = run(planned(sampler=Doubtful()), batch_size=16, executor=Spread(workers))
    assert len(told) == 1
    assert bits(result) == here()


def test_what_cannot_be_pickled_is_told(workers: Processes) -> None:
    net = Slow()
    net.compute = lambda inputs: {}  # type: ignore[method-assign]
    with pytest.raises(SettingsError, match=r"^a Slow cannot be sent to worker processes \(.*\): want one that can be"):
        workers.send(net)


def test_an_answer_that_cannot_be_sent_is_told_of(workers: Processes) -> None:
    with pytest.raises(ExplanationError, match=r"^a worker cannot send what it has made \(\w+: .*lock.*\)\.$"):
        workers.submit(threading.Lock, []).result(PATIENCE)
    assert workers.submit(abs, [], -2).result(PATIENCE).value == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_process_that_is_killed_is_missed_though_a_child_of_its_own_lives_on(tmp_path: Path) -> None:
    workers, told = Processes(1), tmp_path / "child"
    answer = workers.submit(with_a_child, [], told)
    until = time.monotonic() + PATIENCE
    while not told.exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(workers.pids[0], signal.SIGKILL)
    try:
        with pytest.raises(LostWorkerError, match="was killed by signal 9"):
            answer.result(PATIENCE)
    finally:
        os.kill(int(told.read_text()), signal.SIGKILL)
        workers.close()


def with_a_child(told: Path) -> None:
    """Have a child that holds open what this process had open, and wait; in a worker."""
    child = os.fork()
    if child:
        part = told.with_suffix(".part")
        part.write_text(str(child))
        part.replace(told)
    time.sleep(3 * PATIENCE)


def test_no_copy_of_what_is_sent_is_in_memory() -> None:
    imports = "import numpy as np; from pathlib import Path; from predicdiff.workers.working import loaded, pack_into"
    size = 80 * 10**6
    made = (
        f"thing = np.ones({size}, np.uint8); pack_into(Path(sys.argv[1]), thing); del thing; loaded(Path(sys.argv[1]))"
    )
    with tempfile.TemporaryDirectory() as folder:
        taken, said = peak(imports, made, Path(folder) / "x")
    assert not said
    assert taken < 1.5 * size


def test_what_is_sent_lies_where_large_temporary_files_belong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in scratch.NAMED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(scratch, "LARGE", str(tmp_path))
    workers = Processes(1)
    assert workers.send("something").content.parent.parent == tmp_path
    workers.close()
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    workers = Processes(1)
    parcel = workers.send("something")
    shutil.rmtree(parcel.content.parent)
    with pytest.raises(ExplanationError, match=r"what workers need cannot be written .* environment's TMPDIR"):
        workers.send("something else")
    with pytest.raises(ExplanationError, match=r"0\.pickle: what was sent to workers cannot be read"):
        workers.submit(str, [parcel]).result(PATIENCE)
    workers.close()
    monkeypatch.setattr(processes, "folder", lambda: str(tmp_path / "absent"))
    with pytest.raises(ExplanationError, match=r"^the folder of temporary files: what workers need cannot be written"):
        Processes(1)


def test_a_process_has_no_more_threads_than_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 8)
    monkeypatch.setenv(THREADS[0], "3")
    workers = Processes(2)
    monkeypatch.undo()
    assert workers.submit(environment, []).result(PATIENCE).value[THREADS[0]] == "3"
    workers.close()


@pytest.mark.parametrize(("said", "allowed"), [("2,1", [2]), (" 9 ", [9]), ("", []), ("none", []), ("0", [])])
def test_how_many_threads_the_environment_allows(
    monkeypatch: pytest.MonkeyPatch, said: str, allowed: list[int]
) -> None:
    monkeypatch.setenv(THREADS[0], said)
    assert list(processes._threads_allowed()) == allowed


def test_the_environment_is_as_before_and_what_was_sent_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS[0], "999")
    monkeypatch.delenv(THREADS[1], raising=False)
    before = dict(os.environ)
    workers = Processes(2)
    folder = Path(workers.send("something").content).parent
    asked = workers.submit(environment, [])
    assert asked.result(PATIENCE).value[THREADS[1]] == asked.result().value[THREADS[0]] != "999"
    assert dict(os.environ) == before
    pids = workers.pids
    assert pids
    workers.close()
    assert not folder.exists()
    assert not any(there(pid) for pid in pids)
    assert threading.active_count() < 20


def environment() -> dict[str, str]:
    """What a worker was started with."""
    return dict(os.environ)


SCRIPT = """
import sys
from pathlib import Path
from helpers.worked import Slow, planned
from predicdiff import scratch
from predicdiff.algorithm import run
from predicdiff.executors.spread import Spread
from predicdiff.workers.processes import Processes

def main():
    workers = Processes(2)
    def progress(done, total):
        print("at work", workers._folder, *workers.pids, flush=True)
    try:
        run(planned(Slow(0.2), samples=320), executor=Spread(workers), progress=progress)
    finally:
        workers.close()

GUARD
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    """Starts a script that computes with two processes, in a group of its own as a terminal's jobs are."""
    started: list[subprocess.Popen[str]] = []

    def start(guard: str) -> subprocess.Popen[str]:
        path = tmp_path / "script.py"
        path.write_text(SCRIPT.replace("GUARD", guard))
        paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        started.append(subprocess.Popen(
            [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={**os.environ, "PYTHONPATH": paths}, cwd=tmp_path,
        ))  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def at_work(process: subprocess.Popen[str]) -> tuple[Path, list[int]]:
    """The folder of what was sent and the workers, as soon as both are at work."""
    assert process.stdout is not None
    for line in process.stdout:
        folder, *pids = line.split()[2:]
        if len(pids) == 2:
            return Path(folder), [int(pid) for pid in pids]
    raise AssertionError(process.stderr and process.stderr.read())


def gone(pids: list[int], folder: Path) -> bool:
    until = time.monotonic() + PATIENCE
    while any(there(pid) for pid in pids) or folder.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_a_main_process_that_is_killed_leaves_nothing_behind(script: Any) -> None:
    process = script('if __name__ == "__main__": main()')
    folder, pids = at_work(process)
    assert folder.exists()
    process.kill()
    assert gone(pids, folder)


def test_ctrl_c_ends_all_without_a_word_of_the_workers(script: Any) -> None:
    process = script('if __name__ == "__main__": main()')
    folder, pids = at_work(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=PATIENCE)
    assert gone(pids, folder)
    assert said.count("Traceback") == 1, said  # that of the script itself
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_a_script_that_workers_would_run_again_is_told_so(script: Any) -> None:
    _, said = script("main()").communicate(timeout=PATIENCE)
    assert 'has to do so below `if __name__ == "__main__":`' in said.splitlines()[-1]
