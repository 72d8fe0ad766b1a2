"""The measurement as a whole, on a net of a few hundred weights. How long things take is not tested."""

from __future__ import annotations

import json
import mmap
import re
import shlex
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import CliRunner
from helpers.places import ROOT

torch = pytest.importorskip("torch")

from helpers.logical_gpu import gpu  # noqa: E402


@pytest.fixture
def timing(module: Callable[[str], Any], tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command's module, with a small matrix product and without what may be installed besides."""
    command = module("timing")
    monkeypatch.setattr(command, "SIDE", 16)
    for name in ("captum", "captum.attr"):
        monkeypatch.setitem(sys.modules, name, None)
    return command


def run(timing: Any, out: Path, *arguments: str, code: int = 0) -> tuple[dict[str, Any], str]:
    command = ["--net", "tiny", "--windows", "3", "--rounds", "2", "--device", "cpu", "--out", str(out), *arguments]
    result = CliRunner().invoke(timing.main, command)
    assert result.exit_code == code, (result.output, result.exception)
    path = out / "timing.json"
    return json.loads(path.read_text()) if path.exists() else {}, result.output


def test_a_run_leaves_a_whole_record(timing: Any, module: Callable[[str], Any], tmp_path: Path) -> None:
    record, output = run(timing, tmp_path / "out", "--profile", "--seed", "4")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["date"])
    assert {"kind", "device", "processor", "cores", "threads", "system"} <= set(record["machine"])
    assert set(record["versions"]) == {"python", "numpy", "torch", "predicdiff"}
    assert record["settings"] == {
        **{"windows": 3, "rounds": 2, "seed": 4, "window": 10, "samples": 20, "stride": 1, "context": 14},
        "precision": "float32",
    }
    net = record["nets"]["tiny"]
    assert (net["weights"], net["input"], net["evaluations"]) == ("own", [3, 24, 24], 15 * 15 * 20)
    assert net["missing"] == {"pycaffe": "not installed", "captum": "not installed"}
    assert net["product_multiply_adds"] == 16**3
    assert len(net["product"]) == 2
    assert set(net["ways"]) == {"naive", "dense", "incremental", "sampling"}
    for way in net["ways"].values():
        assert way["evaluations"] == 60
        assert len(way["seconds"]) == 2
        assert min(way["seconds"]) > 0
    assert 0 < net["multiply_adds"]["done"] < net["multiply_adds"]["dense"]
    assert len(net["profile"]) == 10
    assert sum(row["part"] for row in net["profile"]) <= 1
    table = module("timing_table")
    assert record["summary"]["tiny"] == json.loads(json.dumps(table.summary("tiny", net, "cpu")))
    assert table.read(tmp_path / "out" / "timing.json") == record
    assert "times as fast" in output
    assert output.count(" calls ") == 10


def test_caffe_has_its_turn_where_a_python_has_it(timing: Any, tmp_path: Path, caffe_python: list[str]) -> None:
    record, output = run(timing, tmp_path / "out", "--caffe-python", shlex.join(caffe_python))
    net = record["nets"]["tiny"]
    assert "pycaffe" not in net["missing"]
    assert net["ways"]["pycaffe"]["evaluations"] == 60
    assert net["ways"]["pycaffe"]["peak_memory"] is None
    assert set(net["pycaffe"]) == {"caffe", "python", "numpy", "device"}
    assert "incremental against pycaffe: " in output


def test_less_than_float32_is_timed_with_what_it_changes(timing: Any, tmp_path: Path) -> None:
    record, _ = run(timing, tmp_path / "out", "--precision", "bfloat16")
    assert record["settings"]["precision"] == "bfloat16"
    gap = record["nets"]["tiny"]["precision_gap"]
    assert 0 < gap["most"] < gap["largest"]
    _, output = run(timing, tmp_path / "none", "--precision", "tf32", code=2)
    assert output.startswith("Error: precision tf32 is a GPU's, and the device is cpu")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_on_a_gpu(precision: str, timing: Any, tmp_path: Path) -> None:
    with gpu():
        record, output = run(timing, tmp_path / "out", "--device", "cuda", "--precision", precision)
    assert (record["machine"]["kind"], record["settings"]["precision"]) == ("cuda", precision)
    net = record["nets"]["tiny"]
    assert all(way["peak_memory"] == 1 for way in net["ways"].values())
    assert net["ways"]["naive"]["evaluations"] == net["ways"]["incremental"]["evaluations"]
    assert "times as fast" in output


def test_a_caffe_net_without_weights_gets_seeded_ones(timing: Any, tiny: Path) -> None:
    (tiny / "cache" / "nets" / "tiny.caffemodel").unlink()
    record, output = run(timing, tiny / "out")
    assert record["nets"]["tiny"]["weights"] == "seeded"
    assert "tiny (seeded weights)" in output


def test_nothing_is_timed_where_values_differ(
    timing: Any, module: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = module("timing_nets")
    wrong = dict(nets.LAYERS, ReLU=lambda x, weights, **_: x[0].abs())
    monkeypatch.setattr(nets, "LAYERS", wrong)
    record, output = run(timing, tmp_path / "out", code=2)
    assert record["nets"] == {}
    assert "Error: tiny: dense evaluation differs from plain torch's by" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--net", "tinny"], "Error: no net is called 'tinny'. Do you mean 'tiny'?"),
        (["--windows", "226"], "Error: --windows 226: tiny has 225 on its image"),
        (["--device", "abacus"], "Error: device 'abacus' cannot be used"),
        (["--caffe-python", "false"], "Error: false: ended without an answer, status 1"),
        (["--caffe-python", "no-such-python"], "Error: no-such-python: cannot be started (No such file"),
        (["--windows", "0"], "Invalid value for '--windows'"),
        (["--rounds", "0"], "Invalid value for '--rounds'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments: list[str], message: str, timing: Any, tmp_path: Path) -> None:
    _, output = run(timing, tmp_path / "out", *arguments, code=2)
    assert message in output


def test_a_place_that_cannot_be_written_is_told_before_anything_is_timed(timing: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _, output = run(timing, tmp_path / "file" / "out", code=2)
    assert "cannot be written" in output
    assert "tiny (" not in output


def test_an_interruption_leaves_what_was_finished(timing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(timing, "measure", interrupted)
    record, output = run(timing, tmp_path / "out", code=130)
    assert record["nets"] == {}
    assert "Interrupted: the nets that were finished are in" in output


def test_windows_of_the_slow_ways(timing: Any) -> None:
    assert timing.few(32, 7e8, "cpu") == 8
    assert timing.few(32, 1.5e10, "cpu") == 2
    assert timing.few(4, 7e8, "cpu") == 4
    assert timing.few(1, 1.5e10, "cpu") == 1
    assert timing.few(4096, 1.5e10, "cuda") == 512
    assert timing.few(40, 7e8, "cuda") == 40


def test_rounds_take_turns_and_leave_out_the_first(timing: Any) -> None:
    turns: list[str] = []

    def turn(way: str) -> Callable[[], int]:
        return lambda: turns.append(way) or 5  # type: ignore[func-returns-value]

    ways, product = timing.rounds({"one": turn("one"), "other": turn("other")}, 3, torch.device("cpu"))
    assert turns == ["one", "other"] * 4
    assert [len(way["seconds"]) for way in ways.values()] == [3, 3]
    assert [way["evaluations"] for way in ways.values()] == [5, 5]
    assert len(product) == 3


def test_most_memory_in_use_is_counted_anew(module: Callable[[str], Any]) -> None:
    machine = module("timing_machine")
    cpu = torch.device("cpu")
    if machine.peak_memory(cpu) is None or not machine.RESET.exists():
        pytest.skip("this system does not tell")
    machine.reset_peak(cpu)
    before = machine.peak_memory(cpu)
    with mmap.mmap(-1, 2**27) as block:  # which goes back to the system at its end, whatever malloc was told before
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        during = machine.peak_memory(cpu)
    assert during - before > 2**26
    machine.reset_peak(cpu)
    assert machine.peak_memory(cpu) < during - 2**26


def test_the_makefile_measures() -> None:
    text = (ROOT / "Makefile").read_text()
    assert re.search(r"^timing: \$\(READY\)  ## .*\n\t.*-m reproduce\.timing .*--seed.*--out", text, re.MULTILINE)
