"""The simulation against closed forms, and the measurement as a whole on a net of a few hundred weights, untimed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
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
    here, sent = {"before": 0.5, "giving": 0.25, "taking": 0.125, "after": 0.0625}, {"luggage": 40, "net": 1000}
    road = whole(simulation, **here, **sent, out=100, back=300, start=7.0)
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


#: What is measured of a net: an image of 20 tiles of 2 s, planned in 0.5 s and drawn in 0.1 s.
COSTS = {
    "tiles": 20, "tile_evaluations": 640, "tile_seconds": [1.8, 2.0, 2.2], "plan": 0.5, "assemble": 0.01, "draw": 0.1,
    "read": 0.001, "write": 0.004, "keep_tile": 0.002, "message": {"tile": 0.001, "image": 0.002},
    "bytes": {"net": 8_000_000, "luggage": 600_000, "out": {"tile": 500, "image": 150_000},
              "back": {"tile": 5000, "image": 200_000}},
}  # fmt: skip
#: In turns: a tile takes 2 s and an image 40 s, of one worker; two took 12.5 s and 80 s in place of 10 s and 80 s.
TURNS = {
    "net": "small", "tiles": 10, "images": 4, "start": {"1 workers": 3.0, "2 workers": 4.0},
    "image": {"1 workers": [20.0, 20.0], "2 workers": [12.5, 10.0], "1 threads here": [20.0, 22.0],
              "2 threads here": [10.0, 11.0]},
    "study": {"1 workers": [160.0, 160.0], "2 workers": [80.0, 80.0], "1 threads here": [160.0, 160.0],
              "2 threads here": [100.0, 80.0]},
    "alone": {"tile": [2.0, 2.0], "image": [40.0, 40.0]},
}  # fmt: skip


@pytest.fixture
def scaling(module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command's module, which simulates little."""
    monkeypatch.setattr(module("scaling_simulated"), "MOST_TASKS", 400)
    command = module("scaling")
    monkeypatch.setattr(command, "COUNTS", (1, 10))
    return command


def test_what_follows_from_the_measurement(scaling: Any) -> None:
    told = scaling.derived({"turns": TURNS, "nets": {"small": {"preview": COSTS, "paper": COSTS}}})
    assert told["efficiency"]["image"]["workers"] == {"median": pytest.approx(0.9), "min": 0.8, "max": 1.0}
    assert told["efficiency"]["study"]["threads here"]["min"] == 0.8
    # ten tiles of 2 s, and a thousandth or two of a second for each here, and the map put together and drawn
    assert told["simulated_part"]["image"]["1 workers"] == pytest.approx(1.0, abs=0.02)
    assert told["simulated_part"]["study"]["2 workers"] == pytest.approx(1.0, abs=0.01)
    assert told["simulated_part"]["study"]["1 workers"] == pytest.approx(1.0, abs=0.01)
    roads = ("image by image", "tile by tile")
    cases = [(row["quality"], row["road"], row["network"], row["workers"]) for row in told["studies"]]
    assert cases == [
        (quality, road, network, count)
        for quality in ("preview", "paper")
        for road in roads
        for network in (1e9, 10e9)
        for count in (1, 10)
    ]
    assert all(0 < row["efficiency"] <= 1 and row["rate"] > 0 for row in told["studies"])


def test_the_tables_have_a_line_for_each_case(scaling: Any, module: Callable[[str], Any]) -> None:
    found: dict[str, Any] = {
        "turns": TURNS,
        "small": [{"images": 10, "seconds": 0.2, "processor_seconds": 0.1, "memory": None, "written": 10}],
        "nets": {"small": {"preview": COSTS, "paper": COSTS}},
    }
    text = module("scaling_table").report({**found, **scaling.derived(found)})
    assert "| an image, tile by tile | workers | 20.0 s | 11.2 s | 0.90 (0.80 to 1.00) |" in text
    assert "| 10 | 200 ms | 100 ms | unknown |" in text
    assert "| a tile there and back | 0.0005 MB, 0.005 MB |" in text
    assert len(re.findall(r"^\| (?:preview|paper) \|", text, re.MULTILINE)) == 16


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
        patch.setattr(sys.modules["reproduce.scaling_simulated"], "MOST_TASKS", 100)
        patch.setattr(sys.modules["reproduce.scaling_simulated"], "LEAST_EACH", 2)
        patch.setattr(scaling, "COUNTS", (1, 10))
        arguments = ["--net", "small", "--turns", "1", "--stride", "4", "--study-stride", "14", "--images", "4"]
        result = CliRunner().invoke(scaling.main, [*arguments, "--small", "3", "--out", str(folder)])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads((folder / "scaling.json").read_text()), result.output


@pytest.mark.whole
def test_a_run_leaves_a_whole_record(record: tuple[dict[str, Any], str]) -> None:
    told, output = record
    assert "**small**" in output
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


def test_what_is_not_a_number_of_turns_is_refused(module: Callable[[str], Any]) -> None:
    result = CliRunner().invoke(module("scaling").main, ["--turns", "0"])
    assert result.exit_code == 2
    assert "--turns" in result.output


def test_the_makefile_measures() -> None:
    text = (ROOT / "Makefile").read_text()
    assert re.search(r"^scaling: \$\(READY\)  ## .*\n\t.*-m reproduce\.scaling .*--seed.*--out", text, re.MULTILINE)
