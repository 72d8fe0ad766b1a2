"""Claim e on made pictures: edges where they are, maps that lie on them, beside them and anywhere."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest


@pytest.fixture
def outlines(module: Callable[[str], Any]) -> Any:
    return module("claims.outlines")


def test_edges_are_where_the_grey_picture_changes(outlines: Any) -> None:
    pixels = np.zeros((3, 10, 12))
    pixels[:, :, 6:] = 200
    strength = outlines.edges(pixels)
    assert (strength[:, 5:7] > 0).all()
    assert not strength[:, :5].any()
    assert not strength[:, 7:].any()


def test_a_map_of_edges_marks_them_and_shifted_maps_do_not(outlines: Any) -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 40, 40))
    strength = outlines.edges(pixels)
    rank = outlines.ranks(strength)
    assert rank.mean() == pytest.approx(0.5)
    # the highest 80 of 1600 ranks
    assert outlines.marked(-strength, rank) == pytest.approx(0.975)
    assert outlines.marked(1 / (1 + strength), rank) == pytest.approx(0.025)
    # 80 pixels' mean rank, over 15 shifts: chance leaves 0.01
    assert outlines.marked_shifted(strength, rank) == pytest.approx(0.5, abs=0.05)
