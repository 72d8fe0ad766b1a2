"""A real scheduler and real workers of Dask: nothing is lost but tiles at work, and the bits are one machine's."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from helpers.dask_cluster import PATIENCE, Cluster
from helpers.oracle_nets import NormalSampler, photo
from helpers.places import PACKAGE
from helpers.worked import (
    SHAPE,
    Alone,
    Broken,
    BrokenError,
    Doubtful,
    Full,
    Hungry,
    Slow,
    bits,
    here,
    planned,
)

import predicdiff as pd
from predicdiff.algorithm import run
from predicdiff.errors import DependencyError, ExplanationError, InputWarning, SettingsError
from predicdiff.executors.spread import Spread
from predicdiff.workers.choice import Fitting, chosen
from predicdiff.workers.clients import client_at, current_client
from predicdiff.workers.dask import DaskWorkers

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Without workers."""
    (tmp_path / "cluster").mkdir()
    with Cluster(tmp_path / "cluster") as started:
        yield started


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With two workers, of one thread and of two, that no test kills."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        started.start_worker()
        started.start_worker(threads=2)
        yield started


@pytest.fixture
def workers(pair: Cluster) -> Iterator[DaskWorkers]:
    with client_at(pair.address) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        made = DaskWorkers(client)
        yield made
        made.close()


class Killer:
    """Kills workers at random moments while a run goes on, and starts another in the place of each."""

    def __init__(self, cluster: Cluster, kills: int, total: int, seed: int) -> None:
        self.cluster, self.random, self.kills = cluster, random.Random(seed), 0
        self.moments = sorted(self.random.sample(range(total * 9 // 10), kills))
        self.done, self.end = 0, threading.Event()
        self.thread = threading.Thread(target=self.kill)
        self.thread.start()

    def progress(self, done: int, total: int) -> None:
        self.done = done

    def kill(self) -> None:
        for moment in self.moments:
            while self.done < moment and not self.end.wait(0.005):
                pass
            if self.end.wait(self.random.uniform(0, 0.2)):
                return
            alive = [worker for worker in self.cluster.workers if worker.poll() is None]
            self.cluster.kill(self.random.choice(alive))
            self.cluster.start_worker()
            self.kills += 1


@pytest.mark.parametrize(
    ("kills", "samples", "seed"),
    [(3, 160, 1), pytest.param(20, 320, 2, marks=pytest.mark.whole)],
    ids=["three", "twenty"],
)
def test_workers_killed_at_random_moments_lose_no_tile(
    cluster: Cluster, kills: int, samples: int, seed: int, tmp_path: Path
) -> None:
    for _ in range(3):
        cluster.start_worker()
    plan, path = planned(Slow(), samples=samples), tmp_path / "cat.tiles"
    with client_at(cluster.address) as client:
        client.wait_for_workers(3, timeout=PATIENCE)
        workers, killer = DaskWorkers(client), Killer(cluster, kills, len(plan.origins), seed)
        try:
            result = run(plan, batch_size=16, checkpoint=path, executor=Spread(workers), progress=killer.progress)
        finally:
            killer.end.set()
            killer.thread.join()
            workers.close()
    assert killer.kills == kills
    assert bits(result) == here(samples)
    assert result.provenance["batch_size"] == 16
    asked = planned(Slow(), samples=samples)
    again = run(asked, batch_size=16, checkpoint=path)
    assert again.provenance["windows_before"] == len(asked.origins)
    assert bits(again) == bits(result)


def test_a_worker_that_joins_late_gets_work(cluster: Cluster) -> None:
    cluster.start_worker()
    with client_at(cluster.address) as client:
        workers, started = DaskWorkers(client), threading.Event()
        counts: list[int] = []

        def progress(done: int, total: int) -> None:
            counts.append(workers.count)
            if not started.is_set():
                started.set()
                cluster.start_worker()
                client.wait_for_workers(2, timeout=PATIENCE)

        result = run(planned(Slow(), samples=160), batch_size=16, executor=Spread(workers), progress=progress)
        ran = set(client.run(did).values())
        workers.close()
    assert bits(result) == here(160)
    assert (counts[0], counts[-1]) == (1, 2)
    assert 0 not in ran


def did() -> int:
    """How many parcels a worker has unpacked."""
    from predicdiff.workers import working

    return len(working._unpacked)


def test_a_scheduler_that_is_killed_and_started_again_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    for _ in range(2):
        cluster.start_worker()
    killed = threading.Event()

    def progress(done: int, total: int) -> None:
        if done > total / 3 and not killed.is_set():
            killed.set()
            cluster.kill(cluster.scheduler)
            cluster.start_scheduler()
            cluster.start_worker()

    with client_at(cluster.address) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        workers = DaskWorkers(client)
        result = run(planned(Slow(), samples=160), batch_size=16, executor=Spread(workers), progress=progress)
        workers.close()
    assert killed.is_set()
    assert bits(result) == here(160)


@pytest.mark.whole
def test_a_scheduler_that_does_not_come_back_is_told_and_what_is_finished_is_kept(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("predicdiff.workers.dask.PATIENCE", 1.0)
    for module in ("dask", "clients"):
        monkeypatch.setattr(f"predicdiff.workers.{module}.ANSWERS", 1.0)
    cluster.start_worker()
    path = tmp_path / "cat.tiles"

    def progress(done: int, total: int) -> None:
        if done > total / 3:
            cluster.kill(cluster.scheduler)

    with client_at(cluster.address) as client:
        workers = DaskWorkers(client)
        with pytest.raises(ExplanationError, match=r"^the scheduler tcp://127.* is gone, and did not come back in 1 s"):
            run(planned(samples=320), batch_size=16, checkpoint=path, executor=Spread(workers), progress=progress)
        workers.close()
    assert not [told for told in caplog.records if told.name.startswith("distributed")], "it logs tracebacks"
    result = run(planned(samples=320), batch_size=16, checkpoint=path)
    assert result.provenance["windows_before"] > len(planned(samples=320).origins) / 3
    assert bits(result) == here(320)


@pytest.mark.whole
@pytest.mark.parametrize("nanny", [False, True])
def test_memory_that_runs_out_and_takes_the_worker_with_it_ends_with_smaller_batches(
    cluster: Cluster, nanny: bool
) -> None:
    net, stop = Hungry(room=5, first=os.getpid()), threading.Event()

    def replace() -> None:
        while not stop.wait(0.05):
            for worker in [each for each in cluster.workers if each.poll() is not None]:
                cluster.workers.remove(worker)
                cluster.start_worker()

    cluster.start_worker(*(["--nanny"] if nanny else ["--no-nanny"]))
    thread = threading.Thread(target=replace)
    thread.start()
    try:
        with client_at(cluster.address) as client:
            workers = DaskWorkers(client)
            result = run(planned(net), batch_size=16, executor=Spread(workers))
            workers.close()
    finally:
        stop.set()
        thread.join()
    assert result.provenance["batch_size"] == 4
    assert bits(result) == here(batch_size=4)


def test_memory_that_is_said_to_have_run_out_ends_with_smaller_batches(workers: DaskWorkers) -> None:
    result = run(planned(Full(SHAPE, gain=0.4, dtype=np.float32)), batch_size=16, executor=Spread(workers))
    assert result.provenance["batch_size"] == 4
    assert bits(result) == here(batch_size=4)


def other_version(folder: Path) -> dict[str, str]:
    """The environment of a worker with another release of this package."""
    shutil.copytree(PACKAGE, folder / "other" / "predicdiff", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "other" / "predicdiff" / "_version.py").write_text('__version__ = "9.9"\n')
    return {"PYTHONPATH": f"{folder / 'other'}:{PACKAGE.parent / 'tests'}"}


def test_a_worker_of_another_version_is_refused_also_where_it_joins_late(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start_worker()
    started = threading.Event()

    def progress(done: int, total: int) -> None:
        if not started.is_set():
            started.set()
            cluster.start_worker("--no-nanny", environment=other_version(tmp_path))
            client.wait_for_workers(2, timeout=PATIENCE)

    with client_at(cluster.address) as client:
        workers = DaskWorkers(client)
        with pytest.raises(
            DependencyError,
            match=rf"^the worker tcp://.* has predicdiff 9\.9, want predicdiff {pd.__version__} as here",
        ):
            run(planned(Slow(), samples=320), batch_size=16, executor=Spread(workers), progress=progress)
        workers.close()


def test_a_worker_without_this_package_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "other" / "predicdiff").mkdir(parents=True)
    # not an empty one, to which an installation of the working tree adds its parts
    absent = "raise ModuleNotFoundError(\"No module named 'predicdiff'\")"
    (tmp_path / "other" / "predicdiff" / "__init__.py").write_text(absent)
    cluster.start_worker("--no-nanny", environment={"PYTHONPATH": str(tmp_path / "other")})
    with client_at(cluster.address) as client:
        workers = DaskWorkers(client)
        said = r"^a worker of Dask has no predicdiff, or another version \(No module"
        with pytest.raises(DependencyError, match=said):
            run(planned(), executor=Spread(workers))
        workers.close()


def test_a_net_that_threads_cannot_share_is_called_by_one_at_a_time(workers: DaskWorkers) -> None:
    result = run(planned(Alone(SHAPE, gain=0.4, dtype=np.float32)), batch_size=16, executor=Spread(workers))
    assert workers.count == 3
    assert bits(result) == here()


def test_an_error_in_a_worker_comes_out_as_it_is(workers: DaskWorkers) -> None:
    with pytest.raises(BrokenError, match="the corpus is gone") as caught:
        run(planned(sampler=Broken()), executor=Spread(workers))
    assert "in draw" in str(caught.value.__cause__)


def test_what_workers_warn_of_is_warned_of_here_once(workers: DaskWorkers) -> None:
    with pytest.warns(InputWarning, match="the corpus is small") as told:
        result = run(planned(sampler=Doubtful()), batch_size=16, executor=Spread(workers))
    assert len(told) == 1
    assert bits(result) == here()


def test_what_is_sent_is_unpacked_once_by_each_worker(workers: DaskWorkers) -> None:
    net = Counted()
    for _ in range(2):
        run(planned(net), batch_size=16, executor=Spread(workers, kept=(net,)))
    made = workers._client.run(unpacked).values()
    assert set(made) <= {0, 1}
    assert sum(made) > 0


class Counted(Slow):
    """Counts in a worker how often it is made of its pickled bytes; a class of this file, which workers lack."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        import builtins

        vars(self).update(state)
        builtins.predicdiff_unpacked = getattr(builtins, "predicdiff_unpacked", 0) + 1  # type: ignore[attr-defined]


def unpacked() -> int:
    """How often a worker has made the net."""
    import builtins

    return int(getattr(builtins, "predicdiff_unpacked", 0))


def test_the_client_that_is_there_is_taken(pair: Cluster) -> None:
    settings: dict[str, Any] = {"window": 3, "samples": 80, "units": [0, 2], "batch_size": 16}
    asked = planned()
    with chosen(None, lambda: Fitting(1)) as nobody:
        assert nobody is None
    with distributed.Client(pair.address) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        assert current_client() is client
        with chosen(None, lambda: Fitting(1)) as workers:
            assert isinstance(workers, DaskWorkers)
        with chosen(1, lambda: Fitting(1)) as nobody:
            assert nobody is None
        result = pd.explain(asked.net, asked.pixels, NormalSampler(), **settings)
        before = result.provenance
        assert client.submit(current_client).result() is None, "a task of a task would wait for itself"
    with client_at(pair.address) as client:
        assert current_client() is None
        other = pd.explain(asked.net, asked.pixels, NormalSampler(), workers=client, **settings)
    assert bits(result) == bits(other) == here()
    assert before["batch_size"] == 16


@pytest.mark.parametrize("count", [3, 12], ids=["tiles", "images"])
def test_many_images_are_explained_by_the_workers_that_there_are(workers: DaskWorkers, count: int) -> None:
    settings: dict[str, Any] = {"window": 3, "samples": 80, "units": [0, 2], "batch_size": 16}
    images = [photo(SHAPE, seed) for seed in range(count)]
    net = Alone(SHAPE, gain=0.4, dtype=np.float32)
    found = {done.number: done for done in pd.explain_many(net, images, NormalSampler(), workers=workers, **settings)}
    here = pd.explain_many(net, images, NormalSampler(), workers=1, **settings)
    assert sorted(found) == list(range(count))
    for done in here:
        assert not found[done.number].error
        assert bits(found[done.number].explanation) == bits(done.explanation)


def test_what_is_interrupted_is_cancelled(workers: DaskWorkers) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt("by the keyboard")

    with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
        run(planned(Slow(0.3)), executor=Spread(workers), progress=stop)
    until = time.monotonic() + PATIENCE
    while any(workers._client.processing().values()):
        assert time.monotonic() < until, "tasks are still at work"
        time.sleep(0.05)


@pytest.mark.parametrize("address", ["nowhere", "tcp://", "tcp://host", 17])
def test_what_is_no_address_is_refused(address: Any) -> None:
    with pytest.raises(SettingsError, match=r"is no address of a Dask scheduler: want one such as tcp://host:8786"):
        client_at(address).__enter__()


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predicdiff.workers.clients.ANSWERS", 0.3)
    with pytest.raises(ExplanationError, match=r"^no Dask scheduler answers at tcp://127\.0\.0\.1:9 \("):
        client_at("tcp://127.0.0.1:9").__enter__()


def test_an_asynchronous_client_is_refused(pair: Cluster) -> None:
    async def refused() -> None:
        async with distributed.Client(pair.address, asynchronous=True) as client:
            assert current_client() is None
            with pytest.raises(SettingsError, match="the Dask client is asynchronous"):
                DaskWorkers(client)

    asyncio.run(refused())
