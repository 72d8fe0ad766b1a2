"""What presets and goals are worth, measured with a tiny net on images of 24 x 24, and on made data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo

import predicdiff as pd
from predicdiff import windows
from predicdiff.errors import FormatError, SettingsError
from predicdiff.refinement import Level

pytest.importorskip("torch")

Run = Callable[..., str]
LABEL = "tiny, chelsea, conditional"
SHAPE = (1, 46, 40)


@pytest.fixture
def presets(module: Callable[[str], Any]) -> Any:
    return module("presets")


@pytest.fixture
def run(tiny: Path, presets: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with windows of 4 on all of what the net sees; gives what it says."""
    monkeypatch.setattr(presets, "WINDOW", 4)

    def run(*arguments: object, code: int = 0) -> str:
        command = ["--square", "0", "--samples", "6", "--out", str(tiny / "out"), *map(str, arguments)]
        result = CliRunner().invoke(presets.main, command)
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        return result.output

    return run


def read(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "out" / "presets.json").read_text())
    return record


def tables(output: str) -> list[str]:
    """Their lines, without the progress bars between."""
    return [line[line.rfind("]") + 1 :] for line in output.splitlines() if line.endswith(" |")]


def square(presets: Any, side: int, reference: int = 6) -> Any:
    """All windows of a square of an oracle's picture, with draws of two seeds."""
    planned = analysis(
        MapNet(SHAPE), photo(SHAPE, 1), NormalSampler(), window=presets.WINDOW, samples=4, stride=1, units=[1]
    )
    draws = {"maps": (4, 0), "reference": (reference, 1)}
    return presets.square_of(planned, side, lambda what, at: presets.evaluated(planned, at, *draws[what], what))


def test_a_run_leaves_a_record_and_two_tables(run: Run, tiny: Path, presets: Any) -> None:
    output = run("--net", "tiny")
    record = read(tiny)
    assert {key: record[key] for key in ("square", "samples", "seed")} == {"square": 0, "samples": 6, "seed": 0}
    assert list(record["maps"]) == [LABEL]
    settings = record["maps"][LABEL]["settings"]
    assert len(settings) == len(presets.SETTINGS)
    for key, one in settings.items():
        stride, samples = key.split(", ")
        wanted = f"| {one['reliability']:.3f} | {one['reliability']:.3f} | {one['slope']:.2f} to {one['slope']:.2f} |"
        (line,) = [
            line for line in output.splitlines() if wanted in line and line.startswith(f"| {stride} | {samples}")
        ]
        assert f"| {int(samples) / int(stride) ** 2:.3g} |" in line
    assert [line.split(" | ")[0] for line in tables(output)[-3:]] == [f"| {goal}" for goal in presets.GOALS]


def test_what_was_evaluated_is_kept(run: Run, tiny: Path, presets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("--net", "tiny")
    kept = sorted(path.name for path in (tiny / "out" / "presets").iterdir())
    assert kept == ["tiny_chelsea_conditional_maps.h5", "tiny_chelsea_conditional_reference.h5"]
    evaluate, asked = presets.evaluated, []

    def counted(analysis: Any, origins: Any, samples: int, seed: int, title: str) -> Any:
        asked.append(samples)
        return evaluate(analysis, origins, samples, seed, title)

    monkeypatch.setattr(presets, "evaluated", counted)
    assert tables(run("--net", "tiny")) == tables(first)
    assert asked == []
    run("--net", "tiny", "--samples", 8)
    assert asked == [8]
    run("--net", "tiny", "--samples", 8, "--seed", 1)
    assert asked == [8, 4, 8]


def test_nets_may_be_measured_one_after_the_other(run: Run, tiny: Path, data: Path, presets: Any) -> None:
    first = run("--net", "tiny")
    other = ["--net", data / "tiny_v1.prototxt", "--weights", data / "tiny_v1.caffemodel", "--mean", "104,117,123"]
    assert tables(run(*other)) != tables(first)
    assert list(read(tiny)["maps"]) == [LABEL, "tiny_v1, chelsea, conditional"]
    path = tiny / "out" / "presets.json"
    where = {"square": 0, "samples": 6, "seed": 0}
    assert list(presets.earlier(path, where)) == list(read(tiny)["maps"])
    assert presets.earlier(path, {**where, "seed": 1}) == {}
    for damaged in ('{"square": 0', "[]", '{"square": 0, "samples": 6, "seed": 0, "maps": {"a": {}}}'):
        path.write_text(damaged)
        with pytest.raises(FormatError, match=r"presets\.json: cannot be read .* Delete it to start afresh"):
            presets.earlier(path, where)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"\xff\xfe"])
def test_a_damaged_file_is_named_and_to_be_deleted(content: bytes, tmp_path: Path, presets: Any) -> None:
    path = tmp_path / "maps.h5"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"maps\.h5: not a whole record of windows"):
        presets.kept(path, {}, lambda: np.zeros(3))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sampler", "conditionl"], "conditionl"),
        (["--square", -1], "x>=0"),
        (["--square", 25], "--square 25: want 12 to 24 pixels, or 0"),
        (["--square", 11], "--square 11: want 12 to 24 pixels, or 0"),
        (["--samples", 3], "x>=4"),
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


def test_a_map_of_all_that_the_net_sees_is_that_of_explain(presets: Any) -> None:
    whole = square(presets, 0)
    how: dict[str, Any] = {"window": presets.WINDOW, "units": [1], "samples": 2}
    for strides in ((4, 4), (2, 4), (1, 1)):
        made = pd.explain(MapNet(SHAPE), photo(SHAPE, 1), NormalSampler(), stride=strides, between="linear", **how)
        found = whole.interpolated(whole.maps, Level(strides, 2))
        np.testing.assert_allclose(found.relevance, made.relevance, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.reliability, made.reliability, rtol=1e-6)
    averaged = pd.explain(MapNet(SHAPE), photo(SHAPE, 1), NormalSampler(), stride=4, between="none", **how)
    np.testing.assert_allclose(whole.averaged(whole.maps, Level((4, 4), 2)), averaged.relevance[0], atol=1e-9)


def test_a_square_is_a_picture_of_its_own_in_the_middle(presets: Any) -> None:
    whole, part = square(presets, 0), square(presets, 32)
    assert part.shape == (32, 32)
    width = SHAPE[2] - presets.WINDOW + 1
    places = windows.grid((32, 32), window=presets.WINDOW) + (7, 4)
    np.testing.assert_allclose(part.maps, whole.maps[places[:, 0] * width + places[:, 1]], rtol=1e-12)


def test_the_references_own_unreliability_is_taken_out(presets: Any) -> None:
    """Of few draws the reference is as unreliable as a map of as many; of many it is the true map."""
    few, many = (square(presets, 32, count) for count in (4, 60))
    true, known = many.truth()
    own, told = few.truth()
    assert known > 0.98
    assert told == pytest.approx(np.corrcoef(own.ravel(), true.ravel())[0, 1] ** 2, abs=0.05)
    found = presets.measured(few)["settings"]["1, 4"]["reliability"]
    assert found == pytest.approx(presets.measured(many)["settings"]["1, 4"]["reliability"], abs=0.05)
    assert found > np.corrcoef(few.averaged(few.maps, Level((1, 1), 4)).ravel(), own.ravel())[0, 1]


def test_a_goal_ends_at_the_first_level_that_reaches_it(presets: Any) -> None:
    whole = square(presets, 0)
    level, estimate = presets.reached(whole, 0.5)
    assert estimate >= 0.5
    finest, low = presets.reached(whole, 0.9999999)
    assert finest == Level((1, 1), presets.DRAWS)
    assert low < 0.9999999
    assert presets.cost(presets.told(level)) < presets.cost(presets.told(finest))


def test_squares_too_small_are_refused(presets: Any) -> None:
    with pytest.raises(SettingsError, match="--square 29: want 30 to 40 pixels, or 0 for the picture"):
        square(presets, 29)
