"""No pixel without a number, and nobody told: of nets that have none for some draws, for all, or for the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, photo

import predicdiff as pd
from predicdiff.errors import InputWarning

SHAPE = (3, 12, 10)
WINDOW = 4


class Sometimes(MapNet):
    """Has no number for inputs whose first place is bright."""

    def __init__(self, limit: float) -> None:
        super().__init__(SHAPE, gain=0.4)
        self.limit = limit

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        blobs = super().compute(inputs)
        return {name: np.where(inputs[:, :1, 0, 0] > self.limit, np.nan, blobs[name]) for name in ("scores", "prob")}


def in_numpy(limit: float) -> Any:
    return Sometimes(limit)


def module(kind: str, limit: float) -> Any:
    pytest.importorskip("torch")
    from helpers.contract_modules import sometimes

    return pd.load_net(sometimes(kind, limit), input_shape=SHAPE, device="cpu")


def traced(limit: float) -> Any:
    return module("traced", limit)


def untraceable(limit: float) -> Any:
    return module("untraceable", limit)


each_net = pytest.mark.parametrize("net", [in_numpy, traced, untraceable])
ASKED: tuple[dict[str, Any], ...] = (
    {"units": [1]},
    {"units": [1], "measure": "activation"},
    {"units": [1], "against": 2},
    {"units": [1], "channels_apart": True},
)


def dark() -> np.ndarray:
    image = photo(SHAPE)
    image[:, 0, 0] = 0
    return image


@each_net
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_pixels_under_draws_without_a_number_are_none_and_it_is_said(net: Any, asked: dict[str, Any]) -> None:
    how: dict[str, Any] = {"window": WINDOW, "stride": 2, "between": "none", "samples": 8}
    with pytest.warns(InputWarning, match="NaN"):
        result = pd.explain(net(128.0), dark(), NormalSampler(), **how, **asked)
    under = np.zeros(SHAPE[1:], bool)
    under[:WINDOW, :WINDOW] = True  # of 8 draws, one is bright there
    assert (np.isnan(result.relevance[0]) == under).all()
    assert any("NaN" in note for note in result.notes)


@each_net
def test_where_no_draw_has_a_number_there_is_no_map(net: Any) -> None:
    with pytest.raises(pd.PredicdiffError, match="NaN"):
        pd.explain(net(1.0), dark(), NormalSampler(), window=SHAPE[1:], stride=1, samples=8, units=[1])


@each_net
def test_an_image_without_a_number_is_refused(net: Any) -> None:
    with pytest.raises(pd.PredicdiffError, match="NaN"):
        pd.explain(net(-1.0), dark(), NormalSampler(), window=WINDOW, stride=2, between="none", samples=2, units=[1])
