"""The ways of computing on several cores, on a net of a few hundred weights. How long things take is not tested."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
from click.testing import CliRunner

from predicdiff.samplers.marginal import MarginalSampler

pytest.importorskip("torch")


@pytest.fixture
def timing(module: Callable[[str], Any], tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command's module, with a small corpus; a process of its own would not know the tiny net."""
    command = module("timing_threads")
    corpus = np.random.default_rng(0).uniform(0, 255, (30, 3, 24, 24)).astype(np.float32)
    monkeypatch.setattr(command.common, "sampler", lambda *_: MarginalSampler(corpus))

    @contextmanager
    def here(case: Any) -> Iterator[Any]:
        yield command.by(case.analysis(), case.tiles, command.Team(), 1)

    monkeypatch.setattr(command, "processes", here)
    return command


def test_a_run_prints_a_table_and_leaves_a_record(timing: Any, tmp_path: Path) -> None:
    command = ["--net", "tiny", "--windows", "2", "--rounds", "2", "--threads", "1", "--out", str(tmp_path / "out")]
    more = ["--sampler", "marginal", "--beside", "nothing", "--beside", "loops"]
    result = CliRunner().invoke(timing.main, [*command, *more])
    assert result.exit_code == 0, (result.output, result.exception)
    record = json.loads((tmp_path / "out" / "timing_threads.json").read_text())
    (row,) = record["rows"]
    assert (row["net"], row["draws"], list(row["ms"])) == ("tiny", "marginal", ["nothing", "loops"])
    for times in row["ms"].values():
        assert {way: len(each) for way, each in times.items()} == dict.fromkeys(timing.WAYS, 2)
        assert all(min(each) > 0 for each in times.values())
    lines = [line for line in result.output.splitlines() if line.startswith("| tiny")]
    assert [line.split(" | ")[1:3] for line in lines] == [["marginal", "nothing"], ["marginal", "loops"]]


def test_no_time_is_reported_of_ways_that_differ_in_a_bit(timing: Any) -> None:
    values = {way: np.ones(3) for way in timing.WAYS}
    values["torch's threads"] = values["torch's threads"] + 1e-9  # of these each batch is computed by several
    case = timing.Case("tiny", "marginal", 2, 2, 0)
    timing.check(case, values)
    values["threads"] = np.nextafter(values["threads"], 2)
    with pytest.raises(timing.DisagreementError, match="tiny: threads give other values than one thread"):
        timing.check(case, values)
