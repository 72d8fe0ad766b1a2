"""A folder of panels drawn from known maps of a net of a few hundred weights, held against what is found anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Sequence

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

Run = Callable[..., tuple[dict[str, Any], str]]
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
    return pd.explain(net, pixels, sampler, **how).relevance[0]


def make_folder(tiny: Path, draw: Callable[[np.ndarray, int], np.ndarray]) -> Path:
    """Panels of channels 1 and 7 for two pictures, drawn as the authors do, and one of a net that is not there."""
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
    entries.append({**entries[0], "net": "alexnet", "blob": "prob", "unit": None})
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
        how = ["--net", "tiny", "--stride", str(STRIDE), "--samples", str(SAMPLES), "--out", str(tiny / "out")]
        how += ["--corpus", str(tiny / "corpus")] if (tiny / "corpus").exists() else []
        result = CliRunner().invoke(module("panels").main, [str(folder), *how, *options])
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        path = tiny / "out" / "panels.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}, result.output

    return run


def test_maps_of_all_units_are_those_of_explain_and_are_taken_up(
    folder: Path, run: Run, tiny: Path, module: Callable[[str], Any]
) -> None:
    record, log = run(folder)
    assert "4 of 4 maps to make" in log  # of two pictures in two ways: two channels share them
    maps, files = module("panel_maps"), module("panel_folder")
    panel, *_ = (panel for panel in record["panels"] if panel["panel"] == "chelsea_map7" and panel["way"] == "paper")
    kept = maps.read(tiny / "out" / panel["maps"], maps.KIND, lambda parts: maps.UnitMaps(**parts))
    seen = as_seen(np.array(Image.open(folder / "chelsea_input.png")))
    np.testing.assert_array_equal(files.enlarged(np.array(Image.open(folder / "chelsea_input.png")), (24, 24)), seen)
    wanted = known_map(seen, 7)
    # values of all channels and of one are summed in other orders, and differences were rounded to float32
    np.testing.assert_allclose(kept.map(7), wanted, rtol=0, atol=8 * np.finfo(np.float32).eps * np.abs(kept.base).max())
    np.testing.assert_array_equal(kept.maps()[7], kept.map(7))
    assert kept.values.shape[1] == 10
    again, log = run(folder)
    assert "0 of 4 maps to make" in log
    assert again == record


def test_panels_of_nets_that_are_not_there_are_named_with_the_reason(anything: Path, run: Run) -> None:
    record, _ = run(anything)
    assert record["not_run"] == [{"panel": "astronaut_map1", "why": "not asked for."}]


def entries_of(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((folder / "panels.json").read_text())
    return entries


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sampler": "conditionl"}, "panels.json, entry 1: sampler 'conditionl' is unknown: want one of conditional"),
        ({"k": None}, "panels.json, entry 1: k is missing or of another type."),
        ({"map": "7"}, "panels.json, entry 1: unit or map is missing or of another type."),
        ({"blob": "dog"}, "the net has no blob 'dog'"),
        ({"picture": "none.png"}, "none.png: no such file"),
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
