"""What a panel's size leaves of a map, and which photographs it is found with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
from helpers.drawn import hsv, photo, smooth_map
from helpers.engines import ENGINES, needed

from predicdiff.comparing.pictures import clipped, relevance_of
from predicdiff.nets import zoo
from predicdiff.samplers.corpus import bundled


def test_a_panel_read_back_agrees_with_its_map_but_for_what_its_size_loses(module: Callable[[str], Any]) -> None:
    nulls, ceiling = module("panels.nulls"), module("panels.ceiling")
    known = smooth_map(0, (96, 96))
    drawn = hsv(known, photo((96, 96)), lift=1.0)
    panel = relevance_of(ceiling.made_small(drawn, 48), style="hsv")
    assert panel.shape == (48, 48)
    assert nulls.agreement(panel, clipped(known, "hsv")) > 0.9
    assert abs(nulls.agreement(panel, clipped(smooth_map(1, (96, 96)), "hsv"))) < 0.5


@needed
def test_a_bundled_photograph_is_not_drawn_from_for_its_own_map(tiny: Path, module: Callable[[str], Any]) -> None:
    net = zoo.load_net("tiny", engine=ENGINES[0])
    samplers = module("panels.maps").Samplers.of(net, None, 0)
    pixels = {name: net.view(image) for name, image in bundled().items()}
    for name, scene in (("chelsea", "chelsea"), ("motorcycle_left", "motorcycle")):
        others = samplers.get("paper", "marginal", 8, pixels[name])
        assert not [one for one in others.provenance["names"] if one.startswith(scene)]
        assert len(others.images) == 40
    strange = samplers.get("paper", "marginal", 8, pixels["chelsea"] + 1)
    assert len(strange.images) == 48
    assert samplers.get("paper", "marginal", 8, np.zeros_like(pixels["chelsea"])) is strange
