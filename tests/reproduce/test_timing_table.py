"""Times in numbers that can be reckoned in the head, and the table that is made of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import CliRunner
from helpers.places import ROOT

from predicdiff.errors import FormatError

pytest.importorskip("torch")


def way(*seconds: float, evaluations: int = 160) -> dict[str, Any]:
    return {"seconds": list(seconds), "evaluations": evaluations, "peak_memory": 1_500_000_000}


RECORD: dict[str, Any] = {
    "date": "2026-11-23",
    "machine": {"kind": "cpu", "device": "A Processor", "threads": 2},
    "versions": {"torch": "2.0", "predicdiff": "0.1"},
    "settings": {"window": 10, "samples": 20, "rounds": 3, "precision": "float32"},
    "nets": {
        "alexnet": {
            "weights": "seeded",
            "evaluations": 1_000_000,
            "multiply_adds": {"done": 2e8, "dense": 8e8},
            "product": [0.2, 0.1, 0.3],
            "product_multiply_adds": 10**10,
            "ways": {
                "naive": way(0.020, 0.030, 0.024),
                "dense": way(0.010, 0.012, 0.016),
                "incremental": way(0.004, 0.005, 0.004, evaluations=640),
                "sampling": way(0.001, 0.001, 0.001),
            },
            "missing": {"pycaffe": "not installed", "captum": "not installed"},
        }
    },
}


@pytest.fixture
def table(module: Callable[[str], Any]) -> Any:
    return module("timing_table")


@pytest.fixture
def record() -> dict[str, Any]:
    return copy.deepcopy(RECORD)


def test_times_and_rates(table: Any, record: dict[str, Any]) -> None:
    derived = table.summary("alexnet", record["nets"]["alexnet"], "cpu")
    mine, naive = derived["ways"]["incremental"], derived["ways"]["naive"]
    assert mine["ms"] == pytest.approx({"median": 4, "min": 4, "max": 5})
    assert (mine["per_second"], mine["image_seconds"]) == pytest.approx((250, 4000))
    assert derived["product_rate"] == pytest.approx(1e11)
    assert (mine["rate"], mine["of_product"]) == pytest.approx((1e11, 1.0))  # 2 x 2e8 in 4 ms
    assert (naive["rate"], naive["of_product"]) == pytest.approx((1.6e9 / 0.024, 2 / 3))
    assert derived["multiply_adds_left"] == 0.25
    assert "rate" not in derived["ways"]["sampling"]


def test_times_as_fast_are_taken_round_by_round(table: Any, record: dict[str, Any]) -> None:
    ratios = table.summary("alexnet", record["nets"]["alexnet"], "cpu")["times_as_fast"]
    assert set(ratios) == {"naive", "dense"}
    assert [ratios["naive"][key] for key in ("min", "median", "max")] == pytest.approx([5, 6, 6])
    assert [ratios["dense"][key] for key in ("min", "median", "max")] == pytest.approx([2.4, 2.5, 4])
    assert (ratios["naive"]["target"], ratios["naive"]["reached"]) == (6, True)
    assert (ratios["dense"]["target"], ratios["dense"]["reached"]) == (4, False)


def test_a_gpu_has_targets_of_its_own(table: Any, record: dict[str, Any]) -> None:
    net = record["nets"]["alexnet"]
    derived = table.summary("alexnet", net, "cuda")
    assert "target" not in derived["times_as_fast"]["naive"]
    assert (derived["times_as_fast"]["dense"]["target"], derived["times_as_fast"]["dense"]["reached"]) == (3, False)
    assert derived["image"] == pytest.approx({"seconds": 4000, "target": 10, "reached": False})
    net["ways"]["incremental"]["seconds"] = [1e-5] * 3
    assert table.summary("alexnet", net, "cuda")["image"]["reached"] is True
    assert table.summary("squeezenet", net, "cuda")["image"] == pytest.approx({"seconds": 10})


def test_a_net_that_does_not_count_has_no_share(table: Any, record: dict[str, Any]) -> None:
    net = record["nets"]["alexnet"]
    net["multiply_adds"] = {"done": 0.0, "dense": 0.0}
    assert table.summary("alexnet", net, "cpu")["multiply_adds_left"] is None
    assert "multiply-adds done, of the dense pass's: unknown" in table.details("alexnet", net, "cpu")


def test_details_for_the_terminal(table: Any, record: dict[str, Any]) -> None:
    lines = table.details("alexnet", record["nets"]["alexnet"], "cpu").splitlines()
    assert lines[0] == "AlexNet (seeded weights); 1,000,000 evaluations an image"
    assert any(line.split() == ["Captum's", "Occlusion", "not", "installed"] for line in lines), (
        "what is missing has a line, too"
    )
    assert "  incremental against plain torch: 6.00 times as fast (5.00 to 6.00); target 6: reached" in lines
    assert "  incremental against our dense: 2.50 times as fast (2.40 to 4.00); target 4: not reached" in lines
    assert any("4 ms (4 to 5) an evaluation, 250.0 a second, 67 min an image; 100 GFLOP/s, 100 %" in i for i in lines)


def test_the_table(table: Any, record: dict[str, Any]) -> None:
    head, _, titles, rule, row = table.table(record).splitlines()
    assert head == (
        "**A Processor**, torch threads: 2; torch 2.0, predicdiff 0.1, 2026-11-23; k = 10, S = 20, medians of 3 rounds"
    )
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert len(cells) == len(titles.split("|")[1:-1]) == len(rule.split("|")[1:-1])
    assert cells == [
        "AlexNet (seeded weights)",
        "24 ms (20 to 30)",
        "12 ms (10 to 16)",
        "4 ms (4 to 5)",
        "67 min",
        "6.00",
        "2.50",
        "not installed",
        "not installed",
        "25 %",
        "1.50 GB",
    ]


def test_a_way_that_others_lack_is_in_the_table(table: Any, record: dict[str, Any]) -> None:
    net = record["nets"]["alexnet"]
    net["ways"]["pycaffe"] = way(0.032, 0.040, 0.032)
    net["ways"]["captum"] = way(0.020, 0.025, 0.020)
    net["missing"] = {}
    row = table.table(record).splitlines()[-1]
    assert "| 5.00 | 8.00 |" in row


def test_the_command_prints_a_table_for_each_record(table: Any, record: dict[str, Any], tmp_path: Path) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, name in zip(paths, ("One", "Another")):
        record["machine"]["device"] = name
        path.write_text(json.dumps(record))
    result = CliRunner().invoke(table.main, list(map(str, paths)))
    assert result.exit_code == 0
    assert result.output.index("**One**") < result.output.index("**Another**")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"machine": 1}', "\x00"])
def test_what_is_no_record_is_refused(text: str, table: Any, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"record\.json: cannot be read as a record of times"):
        table.read(path)
    result = CliRunner().invoke(table.main, [str(path)])
    assert (result.exit_code, "Error: " in result.output) == (2, True)


def test_without_records_it_is_said_how_to_make_one(table: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(table, "RECORDS", tmp_path)
    result = CliRunner().invoke(table.main, [])
    assert result.exit_code == 2
    assert "run `make timing`" in result.output


def test_committed_records_can_be_read(table: Any) -> None:
    for path in table.RECORDS.glob("*.json"):
        assert table.read(path)["nets"], path


def test_the_published_tables_are_those_of_the_records(table: Any) -> None:
    records = sorted(table.RECORDS.glob("*.json"))
    result = CliRunner().invoke(table.main, [])
    assert result.exit_code == 0, result.output
    tables = result.output.split("\n\n**")
    assert len(tables) == len(records) > 1
    for one in tables:
        assert one in (ROOT / "docs" / "precision.md").read_text(encoding="utf-8")
