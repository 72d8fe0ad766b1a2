"""What the presets are worth, measured with a net of a few hundred weights on images of 24 x 24."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import CliRunner

from predicdiff.errors import FormatError

pytest.importorskip("torch")

Run = Callable[..., str]
WHERE = {"square": 16, "places": 1, "seed": 0}
LABEL = "tiny, chelsea, conditional"


@pytest.fixture
def presets(module: Callable[[str], Any]) -> Any:
    return module("presets")


@pytest.fixture
def run(tiny: Path, presets: Any) -> Run:
    """Run the command on one square of 16 x 16 pixels; gives what it says."""

    def run(*arguments: object, code: int = 0) -> str:
        command = ["--square", "16", "--places", "1", "--out", str(tiny / "out"), *map(str, arguments)]
        result = CliRunner().invoke(presets.main, command)
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        return result.output

    return run


def read(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "out" / "presets.json").read_text())
    return record


def write(folder: Path, presets: Any, value: float, **others: object) -> None:
    """A record of one map whose correlations are all the same."""
    (folder / "out").mkdir(exist_ok=True)
    record = {**WHERE, **others, "maps": {LABEL: dict.fromkeys(presets.SETTINGS, value)}}
    (folder / "out" / "presets.json").write_text(json.dumps(record))


def test_a_run_leaves_a_record_and_a_table(run: Run, tiny: Path, presets: Any) -> None:
    output = run("--net", "tiny")
    record = read(tiny)
    assert {key: record[key] for key in WHERE} == WHERE
    assert list(record["maps"]) == [LABEL]
    correlations = record["maps"][LABEL]
    assert len(correlations) == 28
    assert all(-1 <= value <= 1 for value in correlations.values())
    for key, value in correlations.items():
        stride, samples = map(int, key.split(","))
        evaluations = len({*range(0, 214, stride), 214}) ** 2 * samples
        (line,) = [line for line in output.splitlines() if f" {evaluations:,} | {value:.3f} | {value:.3f} |" in line]
        assert line.startswith(f"| {stride} | {samples}")


def test_a_map_of_the_same_squares_and_seed_is_not_measured_again(run: Run, tiny: Path, presets: Any) -> None:
    write(tiny, presets, 0.125)
    assert "| 0.125 | 0.125 |" in run("--net", "tiny")
    assert set(read(tiny)["maps"][LABEL].values()) == {0.125}


def test_a_map_of_another_seed_is_measured_anew(run: Run, tiny: Path, presets: Any) -> None:
    write(tiny, presets, 0.125)
    assert "0.125" not in run("--net", "tiny", "--seed", 1)
    record = read(tiny)
    assert record["seed"] == 1
    assert 0.125 not in record["maps"][LABEL].values()


@pytest.mark.parametrize("other", [{"seed": 3}, {"square": 4}, {"places": 2}, {"seed": None}])
def test_what_was_measured_in_another_way_is_not_taken(other: dict[str, Any], tiny: Path, presets: Any) -> None:
    path = tiny / "out" / "presets.json"
    assert presets.earlier(path, WHERE) == {}
    write(tiny, presets, 0.5)
    assert presets.earlier(path, WHERE) == {LABEL: dict.fromkeys(presets.SETTINGS, 0.5)}
    write(tiny, presets, 0.5, **other)
    assert presets.earlier(path, WHERE) == {}


DAMAGED = {
    "cut short": '{"square": 16, "places": 1, "seed": 0, "maps": {"tiny',
    "empty": "",
    "a list": "[]",
    "without maps": "{}",
    "maps of another kind": '{"maps": [1, 2]}',
    "a map without numbers": '{"maps": {"a": {"2,1": null}}}',
    "a map without a setting": '{"maps": {"a": {"2,1": 0.5}}}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_is_named_and_to_be_deleted(content: str, tmp_path: Path, presets: Any) -> None:
    path = tmp_path / "presets.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=r"presets\.json: cannot be read as a record .*\. Delete it to measure"):
        presets.earlier(path, WHERE)


def test_a_record_that_is_no_text_is_named_too(tmp_path: Path, presets: Any) -> None:
    path = tmp_path / "presets.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match=r"presets\.json: .*UnicodeDecodeError"):
        presets.earlier(path, WHERE)


def test_a_damaged_record_is_left_as_it_is(run: Run, tiny: Path) -> None:
    path = tiny / "out" / "presets.json"
    path.parent.mkdir()
    path.write_text(DAMAGED["cut short"])
    assert f"Error: {path}: cannot be read" in run("--net", "tiny", code=2)
    assert path.read_text() == DAMAGED["cut short"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sampler", "conditionl"], "conditionl"),
        (["--square", -1], "x>=0"),
        (["--places", 0], "x>=1"),
        (["--square", 13, "--places", 2], "do not fit beside each other: want at most 24 pixels together"),
        (["--square", 4], "lie in one and the same windows at stride 5: want larger ones"),
        (["--out", "presets.py"], "is no folder"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(
    arguments: list[Any], words: str, run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny)
    (tiny / "presets.py").write_text("a file")
    output = run("--net", "tiny", *arguments, code=2)
    assert words in " ".join(output.split())
    assert "tile" not in output
    assert not (tiny / "out" / "presets.json").exists()


@pytest.mark.parametrize("count", [0, 2])
def test_weights_want_the_one_net_that_they_belong_to(count: int, run: Run, tiny: Path, data: Path) -> None:
    nets = ["--net", data / "tiny_v1.prototxt"] * count
    output = run(*nets, "--weights", data / "tiny_v1.caffemodel", code=2)
    assert output == f"Error: --weights belong to one net: want one --net with them, not {count}.\n"
    assert not (tiny / "out").exists()


def test_a_net_with_its_own_weights_is_measured(run: Run, tiny: Path, data: Path) -> None:
    run("--net", data / "tiny_v1.prototxt", "--weights", data / "tiny_v1.caffemodel", "--mean", "104,117,123")
    assert list(read(tiny)["maps"]) == ["tiny_v1, chelsea, conditional"]


def test_squares_are_spread_evenly(presets: Any) -> None:
    mask = presets.squares((8, 12), 2, 2)
    wanted = np.zeros((8, 12), bool)
    for row in (1, 2, 5, 6):
        for column in (2, 3, 8, 9):
            wanted[row, column] = True
    np.testing.assert_array_equal(mask, wanted)
    assert presets.squares((8, 12), 0, 2).all()


def test_windows_that_touch_the_mask(presets: Any) -> None:
    mask = presets.squares((24, 24), 2, 1)
    origins = np.array([(row, column) for row in range(15) for column in range(15)])
    wanted = [mask[row : row + 10, column : column + 10].any() for row, column in origins]
    np.testing.assert_array_equal(presets.touching(origins, mask), wanted)


def test_the_cheapest_setting_that_is_good_enough(presets: Any) -> None:
    maps = {name: {"4,2": 0.94 + more, "2,1": 0.97, "2,2": 0.99} for name, more in (("a", 0), ("b", 0.02), ("c", 0.03))}
    assert presets.cheapest(maps, 0.95).startswith("stride 4, S = 2 is")
    assert presets.cheapest(maps, 0.98).startswith("stride 2, S = 2 is")
    for table in maps.values():
        table["4,1"] = 0.99  # cheaper, but a single draw leaves the standard error unknown
    assert presets.cheapest(maps, 0.98).startswith("stride 2, S = 2 is")
    assert presets.cheapest(maps, 0.995) == "none of these settings reaches a median correlation of 0.995"
