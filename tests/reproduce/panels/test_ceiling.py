"""What a panel's size leaves of a map, and which photographs it is found with."""

from __future__ import annotations

from typing import Any, Callable

from helpers.drawn import hsv, photo, smooth_map

from predicdiff.comparing.pictures import clipped, relevance_of


def test_a_panel_read_back_agrees_with_its_map_but_for_what_its_size_loses(module: Callable[[str], Any]) -> None:
    nulls, ceiling = module("panels.nulls"), module("panels.ceiling")
    known = smooth_map(0, (96, 96))
    drawn = hsv(known, photo((96, 96)), lift=1.0)
    panel = relevance_of(ceiling.made_small(drawn, 48), style="hsv")
    assert panel.shape == (48, 48)
    assert nulls.agreement(panel, clipped(known, "hsv")) > 0.9
    assert abs(nulls.agreement(panel, clipped(smooth_map(1, (96, 96)), "hsv"))) < 0.5
