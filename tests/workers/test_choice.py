"""Which workers compute: those that were asked for, as many as help, or none."""

from __future__ import annotations

import os
from typing import Any, Sequence

import pytest
from helpers.oracle_nets import MapNet

from predicdiff.abilities import net_abilities
from predicdiff.cores import cores
from predicdiff.errors import SettingsError
from predicdiff.executors.spread import worthwhile
from predicdiff.workers.choice import Fitting, chosen
from predicdiff.workers.processes import Processes


class OnGPUs(MapNet):
    """A net that several GPUs could compute."""

    def gpus(self) -> Sequence[str]:
        return ["3", "GPU-5f"]


class Shared(MapNet):
    """A net that threads share."""

    def evaluating_threads(self) -> int:
        return 4

    def compute_with(self, count: int) -> None:
        pass


def seen() -> tuple[str, str]:
    """The GPU that a worker sees, and its threads."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", ""), os.environ["OMP_NUM_THREADS"]


def test_a_net_is_worth_a_process_for_each_gpu_or_processor_where_threads_do_not_help() -> None:
    own, shared, on_gpus = (net_abilities(kind((1, 9, 9))) for kind in (MapNet, Shared, OnGPUs))
    assert [worthwhile(own, images) for images in (1, 5)] == [Fitting(cores()), Fitting(cores())]
    assert [worthwhile(shared, images) for images in (1, 5)] == [Fitting(1), Fitting(cores())]
    assert [worthwhile(on_gpus, images) for images in (1, 5)] == [Fitting(2, ("3", "GPU-5f"))] * 2


def test_processes_get_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with chosen(3, lambda: Fitting(2, ("3", "GPU-5f"))) as workers:
        assert isinstance(workers, Processes)
        assert workers.count == 3
        given: set[str] = set()
        while given != {"3", "GPU-5f"}:  # whoever is free takes a task
            given |= {workers.submit(seen, []).result().value[0] for _ in range(8)}
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"


def test_auto_takes_what_fits_and_one_is_this_process() -> None:
    with chosen("auto", lambda: Fitting(2)) as workers:
        assert isinstance(workers, Processes)
        assert workers.count == 2
    for asked in (1, "auto", None):
        with chosen(asked, lambda: Fitting(1)) as none:
            assert none is None


def test_workers_of_ones_own_are_taken_and_left_open() -> None:
    own = Processes(1)
    with chosen(own, lambda: Fitting(2)) as workers:
        assert workers is own
    assert own.submit(os.getpid, []).result().value != os.getpid()
    own.close()


@pytest.mark.parametrize("asked", [0, -1, 10**6, True, "four", 2.5, object(), os])
def test_what_is_neither_is_refused(asked: Any) -> None:
    with pytest.raises(SettingsError, match="want a number of processes"), chosen(asked, lambda: Fitting(2)):
        pass
