"""Windows of one colour."""

from __future__ import annotations

import numpy as np
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
    assert GreyPatch().provenance == {"kind": "grey", "value": 127.5}


def test_a_result_says_that_there_was_one_draw() -> None:
    result = pd.explain(MapNet((1, 6, 6)), photo((1, 6, 6)), GreyPatch(), window=3, stride=3, samples=20)
    assert result.settings["samples"] == 1
    assert (result.stderr == 0).all()
