"""The simulation against closed forms, and the measurement as a whole on a net of a few hundred weights, untimed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import CliRunner
from helpers.places import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")


@pytest.fixture
def simulation(module: Callable[[str], Any]) -> Any:
    return module("scaling_simulated")


def whole(simulation: Any, **seconds: Any) -> Any:
    return simulation.Road("image by image", 1, **{"worker": 2.0, **seconds})


def tiled(simulation: Any, **seconds: Any) -> Any:
    return simulation.Road("tile by tile", 50, **{"worker": 2.0, "whole": False, **seconds})


def test_one_image_of_one_task_takes_the_sum_of_all(simulation: Any) -> None:
    road = whole(
        simulation, before=0.5, giving=0.25, taking=0.125, after=0.0625, out=100, back=300, luggage=40, net=1000, start=7.0
    )  # fmt: skip
    found = simulation.simulated(road, simulation.Cluster(1, bandwidth=100.0, scheduler=0.03), 1)
    assert found.seconds == pytest.approx(0.5 + 0.25 + 0.03 + 1140 / 100 + 7 + 2 + 300 / 100 + 0.125 + 0.0625)


@pytest.mark.parametrize("images", [1, 7, 100_000])
def test_one_worker_to_whom_nothing_else_happens_takes_the_sum_of_its_tasks(simulation: Any, images: int) -> None:
    for road in (whole(simulation), tiled(simulation)):
        found = simulation.simulated(road, simulation.Cluster(1), images)
        assert found.seconds == pytest.approx(images * road.tasks * 2.0)
        assert (found.efficiency, found.limit) == (pytest.approx(1.0), "workers")


def test_workers_that_nothing_keeps_waiting_share_evenly(simulation: Any) -> None:
    for road, images in ((whole(simulation), 1000), (tiled(simulation), 20)):
        found = simulation.simulated(road, simulation.Cluster(10), images)
        assert found.seconds == pytest.approx(images * road.tasks * 2.0 / 10)


@pytest.mark.parametrize(
    ("seconds", "between", "rate", "limit"),
    [
        ({"after": 0.1}, {}, 10.0, "this process: writing"),
        ({"before": 0.2, "after": 0.05}, {}, 4.0, "this process: reading"),
        ({"giving": 0.15, "taking": 0.05}, {}, 5.0, "this process: tasks"),
        ({"out": 30, "back": 10}, {"bandwidth": 200.0}, 5.0, "network"),
        ({}, {"scheduler": 0.5}, 2.0, "scheduler"),
    ],
)
def test_where_something_else_is_the_limit_its_time_alone_decides(
    simulation: Any, seconds: dict[str, float], between: dict[str, float], rate: float, limit: str
) -> None:
    found = simulation.simulated(whole(simulation, **seconds), simulation.Cluster(100, **between), 100_000)
    assert found.rate == pytest.approx(rate, rel=0.01)
    assert found.limit == limit
    assert found.seconds == pytest.approx(100_000 / rate, rel=0.01)
    assert found.efficiency == pytest.approx(rate * 2.0 / 100, rel=0.01)


def test_too_few_images_at_once_leave_workers_idle(simulation: Any) -> None:
    """Of one image at a time with fewer tiles than workers, all tiles are done at once."""
    found = simulation.simulated(tiled(simulation), simulation.Cluster(100, lanes=1), 50)
    assert (found.rate, found.limit) == (pytest.approx(1 / 2.0), "images at once")
    more = simulation.simulated(tiled(simulation), simulation.Cluster(100), 50)
    assert more.efficiency > 0.9


def test_a_workers_own_part_of_an_image_goes_to_it_once(simulation: Any) -> None:
    road = replace(tiled(simulation, luggage=1000), tasks=4)
    found = simulation.simulated(road, simulation.Cluster(1, bandwidth=1e4), 1)
    assert found.seconds == pytest.approx(0.1 + 4 * 2.0)


def test_tasks_that_differ_take_their_mean(simulation: Any) -> None:
    found = simulation.simulated(whole(simulation), simulation.Cluster(1), 20_000, (0.5, 1.5))
    assert found.seconds == pytest.approx(20_000 * 2.0, rel=0.03)


def test_the_smallest_task_is_that_which_the_limit_allows(simulation: Any) -> None:
    cluster = simulation.Cluster(100, scheduler=0.01)
    for road in (whole(simulation), tiled(simulation)):  # an image of 100 s, of which there are enough at once
        least = simulation.smallest(road, cluster, goal=0.9)
        assert 0.9 * 100 * 0.01 <= least <= 0.9 * 100 * 0.01 * simulation.STEP**2.5
    slow = tiled(simulation, before=2.0)  # an image every other second keeps 50 workers busy, however it is cut
    assert simulation.smallest(slow, cluster, goal=0.9) is None


def test_no_study_is_better_than_what_bounds_it(simulation: Any) -> None:
    for count in (1, 3, 30):
        for road in (whole(simulation, before=0.1, out=50), tiled(simulation, before=4.0, giving=0.02, after=1.0)):
            cluster = simulation.Cluster(count, bandwidth=1e3, scheduler=0.01)
            assert simulation.simulated(road, cluster, 200).efficiency <= simulation.bound(road, cluster) * 1.02


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What a run of small sizes writes and prints; its net is that of the small studies."""
    import importlib
    import sys

    folder = tmp_path_factory.mktemp("scaling")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        scaling, small = (importlib.import_module(f"reproduce.{name}") for name in ("scaling", "scaling_small"))
        costs = sys.modules["reproduce.scaling_costs"]
        patch.setattr(costs, "load", lambda name, **how: type("Loaded", (), {"net": small.small_net()}))
        patch.setattr(costs, "TASKS", 4)
        arguments = ["--net", "small", "--turns", "1", "--stride", "4", "--study-stride", "14", "--images", "4"]
        result = CliRunner().invoke(scaling.main, [*arguments, "--small", "3", "--out", str(folder)])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads((folder / "scaling.json").read_text()), result.output


def test_a_run_leaves_a_whole_record(record: tuple[dict[str, Any], str]) -> None:
    told, _ = record
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["date"])
    turns, (small,) = told["turns"], told["small"]
    assert (turns["net"], turns["tiles"], turns["images"]) == ("small", 1, 4)
    assert set(turns["start"]) == {"1 workers", "2 workers"}
    for work in ("image", "study"):
        assert set(turns[work]) == {f"{count} {kind}" for count in (1, 2) for kind in ("workers", "threads here")}
        assert all(len(seconds) == 1 and min(seconds) > 0 for seconds in turns[work].values())
        assert set(told["efficiency"][work]) == {"workers", "threads here"}
        one, two = (turns[work][f"{count} workers"][0] for count in (1, 2))
        assert told["efficiency"][work]["workers"]["median"] == pytest.approx(one / two / 2)
    assert (small["images"], small["written"]) == (3, 3)
    for found in told["nets"]["small"].values():
        assert min(found[name] for name in ("plan", "assemble", "draw", "read", "write", "keep_tile")) > 0
        assert found["bytes"]["out"]["image"] > 10_000 > found["bytes"]["out"]["tile"]
    assert told["nets"]["small"]["paper"]["tiles"] > told["nets"]["small"]["preview"]["tiles"] == 1


def test_it_simulates_both_roads_at_each_number_of_workers(record: tuple[dict[str, Any], str]) -> None:
    told, output = record
    cases = [(row["quality"], row["road"], row["network"], row["workers"]) for row in told["studies"]]
    roads = ("image by image", "tile by tile")
    assert cases == [
        (quality, road, network, count)
        for quality in ("preview", "paper")
        for road in roads
        for network in (1e9, 10e9)
        for count in (1, 10, 100, 1000)
    ]
    assert all(0 < row["efficiency"] <= 1 and row["rate"] > 0 for row in told["studies"])
    assert len(re.findall(r"^\| (?:preview|paper) \|", output, re.MULTILINE)) == len(cases)


def test_what_is_not_a_number_of_turns_is_refused(module: Callable[[str], Any]) -> None:
    result = CliRunner().invoke(module("scaling").main, ["--turns", "0"])
    assert result.exit_code == 2
    assert "--turns" in result.output


def test_the_makefile_measures() -> None:
    text = (ROOT / "Makefile").read_text()
    assert re.search(r"^scaling: \$\(READY\)  ## .*\n\t.*-m reproduce\.scaling .*--seed.*--out", text, re.MULTILINE)
