"""`--pick`, `--mask` and `--box` of modules that come through a door: the same as from Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import predicdiff as pd  # noqa: E402
from predicdiff.nets import zoo  # noqa: E402
from predicdiff.nets.doors import Door  # noqa: E402
from predicdiff.nets.modules.door import load  # noqa: E402
from predicdiff.samplers.corpus import read_folder  # noqa: E402

ABOUT: dict[str, Any] = {"input_shape": (3, 24, 20), "preprocessing": pd.Preprocessing(raw_scale=1.0)}
LABELS = ["sky", "road", "tree"]
QUICK = ["-k", 8, "--stride", 8, "-S", 2, "--between", "none", "--sampler", "marginal"]
ASKED: dict[str, Any] = {"window": 8, "stride": 8, "samples": 2, "between": "none"}
MASK = np.zeros((48, 60), bool)
MASK[8:20, 30:] = True


class Maps(nn.Module):
    """Scores of classes for each place, in a dict with other maps; of a detector, queries with boxes."""

    def __init__(self, detects: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.detects = nn.Conv2d(3, 4, 3, stride=2), detects

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.conv(x)
        if self.detects:
            queries = maps.flatten(2).mT[:, ::6]
            return {"logits": queries, "pred_boxes": (0.5 + queries / 4).clamp(0.1, 0.9)}
        return {"all": maps, "scores": maps[:, :3]}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (48, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    Image.fromarray((255 * MASK).astype(np.uint8)).save(tmp_path / "mask.png")
    return folder


@pytest.fixture(autouse=True)
def door(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(source: Any, settings: Any) -> Any:
        return load(Maps(source == "detects"), replace(settings, labels=LABELS, **ABOUT))

    monkeypatch.setattr(zoo, "DOORS", (Door(lambda source: source in ("tells", "detects"), made), *zoo.DOORS))


def wanted(net: Any, corpus: Path, **asked: Any) -> pd.Explanation:
    images, names, _ = read_folder(corpus, net.view)
    image = pd.load_image(corpus / "0.png")
    return pd.explain(net, image, pd.MarginalSampler(images, names=names), **ASKED, **asked)


def explained(cli: Any, corpus: Path, *options: Any) -> pd.Explanation:
    result = cli("explain", corpus / "0.png", *options, *QUICK, "--corpus", corpus, "-o", "a.h5")
    assert result.exit_code == 0, result.output
    return pd.Explanation.load("a.h5")


def test_a_class_over_a_mask(cli: Any, corpus: Path, tmp_path: Path) -> None:
    options = ["--net", "tells", "--pick", "scores", "--unit", "road", "--mask", tmp_path / "mask.png"]
    result = explained(cli, corpus, *options)
    net = pd.load_net(Maps(False), labels=LABELS, pick="scores", **ABOUT)
    by_hand = wanted(net, corpus, units=["road"], mask=MASK)
    assert np.array_equal(result.relevance, by_hand.relevance)
    assert result.targets[0].title == "road in the mask"
    again = cli("explain", corpus / "0.png", *options, *QUICK, "--corpus", corpus, "-o", "a.h5")
    assert "held this already" in again.output


def test_a_box_of_the_picture(cli: Any, corpus: Path) -> None:
    result = explained(cli, corpus, "--net", "detects", "--unit", "road", "--box", "16,15,16,30")
    net = pd.load_net(Maps(True), labels=LABELS, box=(8, 5, 8, 10), **ABOUT)  # 48 x 60 is seen as 24 x 20
    by_hand = wanted(net, corpus, units=["road"])
    assert np.array_equal(result.relevance, by_hand.relevance)
    assert np.abs(result.relevance).max() > 0
    assert result.unit == "activation"


def test_a_mask_of_a_net_without_maps_is_refused_before_anything_is_said(
    cli: Any, corpus: Path, tmp_path: Path
) -> None:
    result = cli("explain", corpus / "1.png", "--net", "detects", "--box", "9,9,9,9", "--mask", tmp_path / "mask.png")
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert "'boxes' is (3,): want a blob of (C, height, width) (blob=, --blob; `predicdiff blobs`" in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--net", "tells"], "returns several outputs for 2 images, 'all' (2, 4, 11, 9), 'scores' (2, 3, 11, 9): say"),
        (["--net", "detects", "--box", "60,0,5,5"], "has no place in the 24 x 20 pixels that the net sees"),
        (["--net", "tells", "--pick", "x"], "pick = 'x' (--pick): want one of what the module returns, 'all'"),
        (["--net", "tells", "--pick", "1", "--mask", "GREY"], "want a mask in black and white"),
    ],
)
def test_bad_ends(refused: Any, corpus: Path, options: list[str], words: str) -> None:
    options = [word.replace("GREY", str(corpus / "0.png")) for word in options]
    assert words in refused("explain", corpus / "1.png", *options, *QUICK)
