"""What every place where tiles run keeps to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np
import pytest
from helpers.dask_cluster import Cluster
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo
from helpers.unchanged import unchanged

from predicdiff.algorithm import run
from predicdiff.executors.here import evaluate_tile, run_tiles
from predicdiff.executors.spread import Spread
from predicdiff.executors.tiles import Executor
from predicdiff.journal import Journal
from predicdiff.plan import Analysis
from predicdiff.workers.clients import client_at
from predicdiff.workers.dask import DaskWorkers
from predicdiff.workers.processes import Processes

SHAPE = (2, 9, 10)
IMAGE = photo(SHAPE, 1)
EXECUTORS = ("here", "processes", "dask")


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    workers = Processes(2)
    yield workers
    workers.close()


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskWorkers]:
    pytest.importorskip("distributed")
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        for _ in range(2):
            cluster.start_worker()
        with client_at(cluster.address) as client:
            workers = DaskWorkers(client)
            yield workers
            workers.close()


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Executor:
    return run_tiles if request.param == "here" else Spread(request.getfixturevalue(request.param))


def plan() -> Analysis:
    net = MapNet(SHAPE, gain=0.4, dtype=np.float32)
    return analysis(net, IMAGE.copy(), NormalSampler(), window=3, samples=80, stride=1, units=[0, 2])


def backwards(planned: Analysis, tiles: Sequence[slice], journal: Journal, progress: Any) -> int:
    for number in reversed(range(len(tiles))):
        difference, batch = evaluate_tile(planned, tiles[number], 16)
        journal.add(number, *difference, np.array(batch))
    return 16


def test_it_gives_to_the_bit_what_tiles_give_one_by_one(executor: Executor) -> None:
    assert len(plan().tiles()) > 5
    result, wanted = (run(plan(), batch_size=16, executor=where) for where in (executor, backwards))
    assert result.relevance.tobytes() == wanted.relevance.tobytes()
    assert result.stderr.tobytes() == wanted.stderr.tobytes()
    assert result.provenance["batch_size"] == 16


def test_it_leaves_finished_tiles_alone_and_tells_how_far_it_is(executor: Executor, tmp_path: Path) -> None:
    planned, whole = plan(), run(plan(), batch_size=16)
    path, told = tmp_path / "cat.tiles", []

    def stopped(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt("by the keyboard")

    with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
        run(plan(), batch_size=16, checkpoint=path, executor=executor, progress=stopped)
    result = run(planned, batch_size=16, checkpoint=path, executor=executor, progress=lambda *done: told.append(done))
    assert result.relevance.tobytes() == whole.relevance.tobytes()
    assert 0 < result.provenance["windows_before"] < len(planned.origins)
    assert told[-1] == (len(planned.origins), len(planned.origins))
    assert told == sorted(told)


def test_nothing_of_the_callers_is_changed(executor: Executor) -> None:
    planned = plan()
    with unchanged(IMAGE, planned.pixels, planned.origins, planned.readout.base):
        run(planned, executor=executor)
