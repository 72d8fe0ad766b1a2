"""Settings tried on a panel that was drawn from a known map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.drawn import photo, plain, resized
from helpers.engines import ENGINES, needed
from PIL import Image

import predicdiff as pd
from predicdiff.nets import zoo
from predicdiff.presets import LIKES

K, L = 4, 8
NAMES = [f"{number}.png" for number in range(6)]
HOW = {"figure": 3, "k": K, "l": L, "sampler": "conditional", "net": "tiny", "blob": "prob"}


@pytest.fixture
def folder(tiny: Path) -> Path:
    """A panel of the class that the tiny net predicts for a picture, drawn from its map in the paper's way."""
    place, whole = tiny / "paper", photo((96, 96), "coffee")
    for path in (place, tiny / "corpus"):
        path.mkdir()
    corpus = [np.ascontiguousarray(whole[row : row + 36, 24:60]) for row in range(0, 60, 10)]
    for name, image in zip(NAMES, corpus):
        Image.fromarray(image).save(tiny / "corpus" / name)
    net = zoo.load_net("tiny", engine=ENGINES[0])
    seen = photo((20, 20), "astronaut")
    pixels = np.array(resized(seen, (24, 24)).transpose(2, 0, 1), np.float32)
    images = np.stack([net.view(image) for image in corpus])
    sampler = LIKES["paper"].sampler("conditional", images, pixels, context=L, order="bgr", names=NAMES)
    result = pd.explain(net, pixels, sampler, window=K, samples=2, stride=2, blob="prob")
    Image.fromarray(resized(plain(result.relevance[0]), (96, 96))).save(place / "panel.png")
    Image.fromarray(seen).save(place / "input.png")
    entry = {**HOW, "picture": "panel.png", "input": "input.png", "unit": result.targets[0].unit[0]}
    (place / "other.png").write_bytes((place / "panel.png").read_bytes())
    other = {**entry, "picture": "other.png", "unit": (entry["unit"] + 1) % 5}
    (place / "panels.json").write_text(json.dumps([entry, other]))
    return place


@needed
def test_the_setting_that_a_panel_was_drawn_with_is_found(
    folder: Path, tiny: Path, module: Callable[[str], Any]
) -> None:
    settings = module("panels.settings")
    how = ["--net", "tiny", "--stride", "2", "--corpus", str(tiny / "corpus"), "--out", str(tiny / "out")]
    result = CliRunner().invoke(settings.main, [str(folder), *how])
    assert result.exit_code == 0, (result.output, result.exception)
    record = json.loads((tiny / "out" / "panel_settings.json").read_text())
    # the other panel shows a class that the net does not predict
    assert record["panels"] == ["panel"]
    assert record["classes"] == 5
    assert [row["setting"] for row in record["settings"]] == [variant.name for variant in settings.VARIANTS]
    found = {row["setting"]: row["panel"] for row in record["settings"]}
    assert found["as in the paper"]["rank"] == 1
    assert found["as in the paper"]["pearson"] == max(row["pearson"] for row in found.values())
    assert len({round(row["pearson"], 9) for row in found.values()}) == len(found)  # each setting does something else
    (choice,) = record["choices"]
    assert choice["setting"] == "as in the paper"
    assert choice["with_the_choice"]["rank"] == 1
    table = (tiny / "out" / "panel_settings.md").read_text()
    assert f"| as in the paper | {found['as in the paper']['pearson']:.2f} (1) |" in table
    assert "Chosen on panel: as in the paper" in table
    assert "On the others: there are none." in table


def test_a_setting_is_judged_on_the_panels_that_it_was_not_chosen_on(module: Callable[[str], Any]) -> None:
    settings = module("panels.settings")
    tables = np.zeros((2, len(settings.VARIANTS), 3))
    tables[0, :2] = [[0.1, 0.9, 0.0], [0.5, 0.2, 0.4]]  # class 0 does best in the second setting
    tables[1, :2] = [[0.7, 0.0, 0.1], [0.2, 0.3, 0.4]]
    first, second = settings.judged(["a", "b"], [0, 2], tables)
    assert (first["setting"], first["pearson"]) == (settings.VARIANTS[1].name, 0.5)
    assert (first["with_the_choice"]["rank"], first["with_the_choice"]["best_index"]) == (2, 1)
    assert (first["on_others"]["b"]["pearson"], first["on_others"]["b"]["rank"]) == (0.4, 1)
    assert (second["setting"], second["on_others"]["a"]["rank"]) == (settings.VARIANTS[1].name, 1)
