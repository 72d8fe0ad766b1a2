"""Windows of one colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, photo

import predicdiff as pd
from predicdiff.samplers.grey import GreyPatch


def test_a_patch_has_one_colour_at_every_place_whatever_the_seed() -> None:
    origins = np.array([[0, 0], [2, 1]])
    draws = GreyPatch([1, 2, 3]).draw(photo((3, 5, 4)), origins, window=3, samples=7, seed=11)
    assert draws.shape == (2, 1, 3, 3, 3)
    assert draws.dtype == np.float32
    for channel in range(3):
        assert (draws[:, :, channel] == channel + 1).all()
    draws[:] = 0  # a result of its own
    assert GreyPatch(5.0).draw(photo((2, 5, 4)), origins, window=1, samples=1, seed=0).min() == 5
    assert GreyPatch([1, 2, 3]).provenance == {"kind": "grey", "value": [1.0, 2.0, 3.0]}


@pytest.mark.parametrize(("pixels", "grey"), [(photo((3, 5, 4)), 127.5), (photo((3, 5, 4)) / 60 - 2, 0.0)])
def test_without_a_value_it_is_the_grey_of_the_pixels(pixels: np.ndarray, grey: float, tmp_path: Path) -> None:
    GreyPatch().save(tmp_path / "grey.h5")
    patch = GreyPatch.load(tmp_path / "grey.h5")
    assert patch.provenance == {"kind": "grey", "value": None}
    draws = patch.draw(pixels, np.array([[0, 0]]), window=3, samples=1, seed=0)
    np.testing.assert_array_equal(draws, np.full((1, 1, 3, 3, 3), grey))
    assert patch.value is None


def test_a_file_with_a_value_keeps_it(tmp_path: Path) -> None:
    GreyPatch(127.5).save(tmp_path / "grey.h5")
    patch = GreyPatch.load(tmp_path / "grey.h5")
    assert patch.provenance == {"kind": "grey", "value": 127.5}
    assert (patch.draw(photo((1, 5, 4)) / 255, np.array([[0, 0]]), window=3, samples=1, seed=0) == 127.5).all()


def test_a_result_says_that_there_was_one_draw() -> None:
    result = pd.explain(MapNet((1, 6, 6)), photo((1, 6, 6)), GreyPatch(), window=3, stride=3, samples=20)
    assert result.settings["samples"] == 1
    assert (result.stderr == 0).all()
