"""Which photographs are explained, and what is drawn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.oracle_nets import NumpyNet
from PIL import Image

from predicdiff.errors import ImageError, SettingsError
from predicdiff.samplers.corpus import bundled


class ByBrightness(NumpyNet):
    """Its first class is as likely as the image is bright."""

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        likely = inputs.mean(axis=(1, 2, 3)) / 255
        return {"prob": np.stack([likely, *[(1 - likely) / 99] * 99], axis=1)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images whose names tell how bright they are, and a file that is none."""
    for number in range(60):
        brightness = (10 * number) % 256
        Image.new("RGB", (24, 24), (brightness,) * 3).save(tmp_path / f"{number:02d} {brightness}.png")
    (tmp_path / "notes.txt").write_text("none")
    return tmp_path


def test_the_first_that_the_net_is_neither_sure_nor_unsure_of(module: Callable[[str], Any], folder: Path) -> None:
    chosen = module("claims.photographs").chosen(ByBrightness((3, 24, 24)), [str(folder)])
    by_name = [(number, (10 * number) % 256) for number in range(60)]
    wanted = [f"{n:02d} {bright}" for n, bright in by_name if 0.05 < bright / 255 < 0.999][:20]
    assert [one.name for one in chosen] == wanted
    drawn = {int(image[0, 0, 0]) for image in chosen[0].corpus}
    others = sorted(set(range(60)) - {int(name[:2]) for name in wanted})
    assert drawn == {by_name[number][1] for number in others}
    assert len(chosen[0].corpus) == len(others)


def test_few_photographs_are_drawn_for_from_the_bundled_scenes(module: Callable[[str], Any], folder: Path) -> None:
    paths = [str(folder / f"{number:02d} {10 * number}.png") for number in (5, 6)]
    one, other = module("claims.photographs").chosen(ByBrightness((3, 24, 24)), paths)
    assert one.corpus is other.corpus
    assert len(one.corpus) == 48


def test_a_file_that_shows_a_bundled_scene_is_not_drawn_from_for_itself(
    module: Callable[[str], Any], folder: Path, tmp_path: Path
) -> None:
    net = ByBrightness((3, 24, 24))
    scene_image = next(iter(bundled().values()))
    net.view = lambda image: np.array(image[:24, :24].transpose(2, 0, 1), np.float32)  # type: ignore[method-assign]
    Image.fromarray(scene_image).save(tmp_path / "zz scene.png")
    paths = [str(folder / "05 50.png"), str(tmp_path / "zz scene.png")]
    other, scene = module("claims.photographs").chosen(net, paths)
    assert scene.name == "zz scene"
    assert len(other.corpus) == 48
    assert len(scene.corpus) == 40  # without the scene's eight crops


def test_a_scene_is_not_drawn_from_for_itself(module: Callable[[str], Any]) -> None:
    chosen = module("claims.photographs").chosen(ByBrightness((3, 24, 24)), [])
    names = [one.name for one in chosen]
    assert "chelsea" in names
    assert "motorcycle_right" not in names
    assert {len(one.corpus) for one in chosen} == {40}  # of 48 crops, 8 of each scene


def test_pictures_of_one_name_and_folders_without_any_are_refused(
    module: Callable[[str], Any], folder: Path, tmp_path: Path
) -> None:
    common = module("common")
    with pytest.raises(SettingsError, match="two images are called '05 50': want a name for each"):
        common.images((str(folder), str(folder / "05 50.png")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no image in this folder"):
        common.images((str(tmp_path / "empty"),))
