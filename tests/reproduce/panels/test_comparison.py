"""A folder of panels drawn from known maps of a net of a few hundred weights, held against what is found anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, Sequence, Tuple

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.drawn import hsv, photo, resized
from helpers.engines import ENGINES, needed
from PIL import Image

import predicdiff as pd
from predicdiff.nets import zoo
from predicdiff.presets import LIKES

pytestmark = needed

Run = Callable[..., Tuple[Dict[str, Any], str]]
#: Small windows, so that a fit takes no time.
K, L, STRIDE, SAMPLES = 4, 6, 2, 2
SIDE = 20
NAMES = [f"{number}.png" for number in range(6)]
HOW = {"picture": "", "figure": 6, "k": K, "l": L, "sampler": "conditional", "net": "tiny", "blob": "cat"}


def written(folder: Path, picture: np.ndarray, name: str) -> str:
    """A picture's file in the folder; its name."""
    Image.fromarray(picture).save(folder / f"{name}.png")
    return f"{name}.png"


def as_seen(picture: np.ndarray) -> np.ndarray:
    """What the net sees: all of the picture, enlarged by Pillow's bicubic interpolation."""
    return np.array(resized(picture, (24, 24)).transpose(2, 0, 1), np.float32)


def corpus() -> list[np.ndarray]:
    """Small photographs to fit on, each of another part of one."""
    whole = photo((96, 96), "coffee")
    return [np.ascontiguousarray(whole[row : row + 24, 24:48]) for row in range(0, 96, 12)[:6]]


def known_map(pixels: np.ndarray, channel: int) -> np.ndarray:
    """The map of a channel in the paper's way, from the package's public functions."""
    net = zoo.load_net("tiny", engine=ENGINES[0])
    images = np.stack([net.view(image) for image in corpus()])
    sampler = LIKES["paper"].sampler("conditional", images, pixels, context=L, order="bgr", names=NAMES)
    how: dict[str, Any] = {"window": K, "samples": SAMPLES, "stride": STRIDE, "blob": "cat", "channels": [channel]}
    return pd.explain(net, pixels, sampler, between="none", **how).relevance[0]


def make_folder(tiny: Path, draw: Callable[[np.ndarray, int], np.ndarray]) -> Path:
    """Panels of channels 1 and 7 for two pictures, drawn as the authors do, and a copy of one as another net's."""
    place, entries = tiny / "paper", []
    for path in (place, tiny / "corpus"):
        path.mkdir()
    for name, image in zip(NAMES, corpus()):
        Image.fromarray(image).save(tiny / "corpus" / name)
    for name in ("astronaut", "chelsea"):
        picture = photo((SIDE, SIDE), name)
        seen = written(place, picture, f"{name}_input")
        for channel in (1, 7):
            drawn = hsv(draw(as_seen(picture), channel), resized(picture, (24, 24)), lift=1.0)
            panel = written(place, resized(drawn, (SIDE, SIDE)), f"{name}_map{channel}")
            entries.append({**HOW, "picture": panel, "input": seen, "map": channel})
    copy = written(place, np.asarray(Image.open(place / entries[0]["picture"])), "elsewhere")
    elsewhere = {**entries[0], "picture": copy, "net": "alexnet", "blob": "prob", "unit": None}
    del elsewhere["map"]
    entries.append(elsewhere)
    (place / "panels.json").write_text(json.dumps(entries))
    return place


@pytest.fixture
def folder(tiny: Path) -> Path:
    """A folder of panels that show the net's own maps."""
    return make_folder(tiny, known_map)


@pytest.fixture
def anything(tiny: Path) -> Path:
    """A folder of panels that show whatever."""
    return make_folder(tiny, lambda pixels, channel: pixels[0] - pixels[0].mean())


@pytest.fixture
def run(tiny: Path, module: Callable[[str], Any]) -> Run:
    """Run the command and give its record and its log."""

    def run(folder: Path, *options: str, code: int = 0) -> tuple[dict[str, Any], str]:
        how = [
            "--net",
            "tiny",
            "--stride",
            str(STRIDE),
            "--samples",
            str(SAMPLES),
            "--ceiling",
            "1",
            "--out",
            str(tiny / "out"),
        ]
        how += ["--corpus", str(tiny / "corpus")] if (tiny / "corpus").exists() else []
        result = CliRunner().invoke(module("panels.__main__").main, [str(folder), *how, *options])
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        path = tiny / "out" / "panels.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}, result.output

    return run


def test_right_maps_rank_first_and_are_those_of_explain(
    folder: Path, run: Run, tiny: Path, module: Callable[[str], Any]
) -> None:
    record, log = run(folder)
    # of two pictures in two ways, by occlusion and by random weights, and of a photograph in two sizes and with other
    # draws: two channels share each
    assert "11 of 11 maps to make" in log
    assert [panel["units"]["rank"] for panel in record["panels"]] == [1] * 8
    by_name = {(panel["panel"], panel["way"]): panel for panel in record["panels"]}
    for panel in record["panels"]:
        others = [*panel["other_pictures"].values(), panel["nulls"]["random_weights"], panel["units"]["median"]]
        assert len(panel["other_pictures"]) == 1
        assert panel["pearson"] > max(others)
    own = by_name["chelsea_map7", "paper"]
    assert own["pearson"] > by_name["chelsea_map7", "authors"]["pearson"]  # the panels were drawn in the paper's way
    assert record["not_run"] == [{"panel": "elsewhere", "net": "alexnet", "why": "not asked for."}]
    assert list(by_name["astronaut_map1", "paper"]["other_panels"]) == ["elsewhere"]
    assert by_name["astronaut_map1", "paper"]["other_panels"]["elsewhere"] == pytest.approx(1)  # a copy of it
    assert not own["other_panels"]
    assert record["ceiling"]
    assert {row["index"] for row in record["ceiling"]} <= {1, 7}
    table = (tiny / "out" / "panels.md").read_text()
    assert f"| chelsea_map7 | paper | {own['pearson']:.2f} |" in table
    assert np.asarray(Image.open(tiny / "out" / "panels.png")).std() > 10
    check_kept(folder, tiny, own["maps"], module)
    again, log = run(folder)
    assert "0 of 11 maps to make" in log
    assert again == record


def check_kept(folder: Path, tiny: Path, path: str, module: Callable[[str], Any]) -> None:
    """The maps that a file keeps are those of the package's public functions."""
    maps = module("panels.maps")
    kept = maps.read(tiny / "out" / path, maps.KIND, lambda parts: maps.UnitMaps(**parts))
    wanted = known_map(as_seen(np.array(Image.open(folder / "chelsea_input.png"))), 7)
    # values of all channels and of one are summed in other orders, and differences were rounded to float32
    np.testing.assert_allclose(kept.map(7), wanted, rtol=0, atol=8 * np.finfo(np.float32).eps * np.abs(kept.base).max())
    np.testing.assert_array_equal(kept.maps()[7], kept.map(7))
    assert kept.values.shape[1] == 10


def entries_of(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((folder / "panels.json").read_text())
    return entries


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sampler": "conditionl"}, "panels.json, entry 1: sampler 'conditionl' is unknown: want one of conditional"),
        ({"k": None}, "panels.json, entry 1: k is missing or of another type."),
        ({"map": True}, "panels.json, entry 1: unit or map is missing or of another type."),
        ({"l": K - 1}, "panels.json, entry 1: l = 3 is smaller than k = 4"),
        ({"input": "../paper/astronaut_input.png"}, "several inputs are called astronaut_input"),
        ({"blob": "dog"}, "the net has no blob 'dog'"),
        ({"picture": "astronaut_map1.png"}, "astronaut_map1 stands there twice: want each panel once."),
        ({"picture": "none.png"}, "none.png: no such file"),
        ({"map": None}, "names no map of blob 'cat', which has 10"),
        ({"picture": "astronaut_input.png"}, "astronaut_input.png: the picture has other colours than red and blue"),
        ({"map": 10}, "shows channel 10 of blob 'cat', which has 10: want 0 to 9."),
    ],
)
def test_a_wrong_entry_is_said_in_a_sentence(changed: dict[str, Any], words: str, anything: Path, run: Run) -> None:
    first, second, *others = entries_of(anything)
    (anything / "panels.json").write_text(json.dumps([first, {**second, **changed}, *others]))
    record, log = run(anything, code=2)
    assert words in " ".join(log.split())
    assert not record


@pytest.mark.parametrize(
    ("content", "words"), [("[]", "want a list of panels"), ("{", "cannot be read as JSON"), (None, "no such file")]
)
def test_a_folder_without_panels_is_said_in_a_sentence(
    content: Sequence[str] | None, words: str, tiny: Path, run: Run
) -> None:
    if content is not None:
        (tiny / "panels.json").write_text(str(content))
    _, log = run(tiny, code=2)
    assert words in log
