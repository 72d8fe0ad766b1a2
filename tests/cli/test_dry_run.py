"""`predicdiff explain --dry-run`: what it says is what a run does, and it writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.engines import needed

from predicdiff.journal import Journal
from predicdiff.tile_records import MAGIC, records

pytestmark = needed


@pytest.fixture
def ask(net, fitted, picture):
    """36 windows of 24 x 24 pixels, 40 draws each."""
    return ["explain", picture, *net, *fitted, "-k", 4, "--stride", 4, "-S", 40, "--device", "cpu"]


@pytest.fixture
def told(cli, tmp_path):
    """What a dry run says; nothing in the folder changes."""

    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() if path.is_file() else b"" for path in tmp_path.rglob("*")}

    def call(*arguments: object) -> str:
        before = contents()
        result = cli(*arguments, "--dry-run")
        assert result.exit_code == 0, result.output
        assert result.output.endswith("Nothing was written.\n")
        assert contents() == before
        return result.output

    return call


@pytest.fixture
def stopped(cli, monkeypatch):
    """Stop a run when so many tiles are finished."""

    def call(tiles: int, *arguments: object) -> None:
        add, count = Journal.add, []

        def counted(*tile: object) -> None:
            add(*tile)
            count.append(1)
            if len(count) == tiles:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "add", counted)
            assert cli(*arguments).exit_code == 130

    return call


def test_it_says_evaluations_memory_and_where_results_go(told, ask):
    said = told(*ask)
    assert "36 windows of 4 x 4, 40 draws each: " in said
    assert f"Evaluations of the net: {36 * 40:,}, in batches of " in said
    assert "Memory: about 0." in said
    assert "--memory allows 4 GB." in said
    assert "The result would go to out/small_tiny_fitted.h5, the picture to out/small_tiny_fitted.png." in said


def test_batches_quality_and_quiet(told, ask):
    said = told(*ask[: ask.index("--stride")], "--device", "cpu", "--quality", "standard", "--batch-size", 7, "-q")
    assert "in batches of 7 by " in said
    # stride 2 and 2 draws, (24 - 4) / 2 + 1 windows along each axis
    assert f"Evaluations of the net: {11 * 11 * 2}, " in said


@pytest.mark.parametrize("goal", [["--until", 0.9], ["--budget", "60s"]])
def test_of_stages_it_tells_the_most(told, ask, goal):
    assert f"Evaluations of the net: at most {36 * 40:,}, " in told(*ask, *goal)


def test_of_a_stopped_run_it_tells_what_is_left(cli, told, ask, stopped, tmp_path):
    stopped(1, *ask, "-o", "a.h5")
    (number,) = (int(line.split()[2]) for line in told(*ask, "-o", "a.h5").splitlines() if "Taking up" in line)
    said = told(*ask, "-o", "a.h5")
    assert f"of which {40 * number:,} lie finished in a.h5.tiles and at most {1440 - 40 * number:,} are left" in said
    assert "for --restart deletes a.h5.tiles" in told(*ask, "-o", "a.h5", "--restart")
    assert cli(*ask, "-o", "a.h5", "-q").exit_code == 0
    assert "a.h5 holds this already: a.png (in the place of the file that is there) would be drawn" in told(
        *ask, "-o", "a.h5"
    )


def test_of_stopped_stages_it_tells_what_is_left(told, ask, stopped, tmp_path):
    run = [*ask, "--until", 0.9999, "-o", "a.h5"]
    stopped(3, *run)
    journal = Journal(tmp_path / "a.h5.tiles", {}, {})
    with open(tmp_path / "a.h5.tiles", "rb") as file:
        journal.identity = json.loads(next(records(file, len(MAGIC))).body)["run"]
    journal.look()
    there = sum(np.prod(tile[0].shape[:3]) for tile in journal.tiles.values())
    assert len(journal.tiles) == 3
    assert f"at most 1,440, of which {there:,} lie finished in a.h5.tiles" in told(*run)


def test_it_refuses_what_a_run_would(refused, ask, tmp_path):
    assert "batch size 0: want at least 1" in refused(*ask, "--dry-run", "--batch-size", 0)
    assert "is no folder" in refused(*ask, "--dry-run", "-o", "small.png/a.h5")


def test_another_result_keeps_its_place(cli, told, ask):
    assert cli(*ask, "-q").exit_code == 0
    said = told(*ask, "--seed", 1)
    assert "this one goes into out/small_tiny_fitted-2.h5" in said
    assert "The result would go to out/small_tiny_fitted-2.h5" in said
