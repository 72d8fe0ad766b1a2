"""What a net is tried out on before a map is made of it, and what becomes of one that does not answer alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo

import predicdiff as pd
from predicdiff.errors import ExplanationError, InputWarning, SettingsError

SHAPE = (2, 9, 10)
IMAGE = photo(SHAPE, 1)
ASKED: dict[str, Any] = {"window": 3, "samples": 7, "stride": 2, "between": "none", "units": [0, 2]}


class Centred(MapNet):
    """Takes the batch's mean out of every image."""

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        return super().compute(inputs - inputs.mean())


class Noisy(MapNet):
    """Adds noise to its scores, by a stream of its own."""

    noise = 0.3

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.rng = np.random.default_rng(0)

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        values = super().compute(inputs)
        scores = values["scores"] + self.rng.normal(0, self.noise, values["scores"].shape)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return {**values, "scores": scores, "prob": powers / powers.sum(axis=1, keepdims=True)}


class Holed(MapNet):
    """Gives NaN where the first pixel is as bright as ``limit``, or brighter."""

    limit = 150.0

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        values = super().compute(inputs)
        bright = inputs[:, 0, 0, 0] >= self.limit
        return {name: np.where(np.reshape(bright, (-1, *[1] * (v.ndim - 1))), np.nan, v) for name, v in values.items()}


def alone(net: MapNet) -> MapNet:
    """The net, given one image at a time whatever it is asked for: the loop that a map is held against."""
    whole = net.compute
    net.compute = lambda inputs: {  # type: ignore[method-assign]
        name: np.concatenate([whole(one[None])[name] for one in inputs]) for name in ("maps", "scores", "prob")
    }
    return net


def test_a_net_that_mixes_the_images_of_a_batch_is_given_one_at_a_time() -> None:
    net = Centred(SHAPE)
    with pytest.warns(InputWarning, match="answer of net 'numpy' for one image depends on which others are computed"):
        result = pd.explain(net, IMAGE, NormalSampler(), batch_size=16, **ASKED)
    wanted = pd.explain(alone(Centred(SHAPE)), IMAGE, NormalSampler(), **ASKED)
    np.testing.assert_allclose(result.relevance, wanted.relevance, rtol=0, atol=1e-6)
    assert set(net.batches) == {1}
    assert "each image is computed alone" in result.notes[0]
    assert not any("alone" in note for note in wanted.notes)


def test_a_net_that_draws_is_told_of_and_its_answers_can_be_averaged() -> None:
    """The relevance of 400 passes lies as near to that of the net without noise as the noise's mean lets it."""
    with pytest.warns(InputWarning, match="answers differently each time it is asked .* --repeat"):
        once = pd.explain(Noisy(SHAPE, gain=0.3), IMAGE, NormalSampler(), blob="scores", **ASKED)
    assert any("answers differently" in note for note in once.notes)
    often = pd.explain(Noisy(SHAPE, gain=0.3), IMAGE, NormalSampler(), blob="scores", repeat=400, **ASKED)
    assert any("averaged over 400 passes" in note for note in often.notes)
    assert often.settings["repeat"] == 400
    quiet = pd.explain(MapNet(SHAPE, gain=0.3), IMAGE, NormalSampler(), blob="scores", **ASKED)
    # a window's mean of 7 draws, and the untouched image's as often: six standard deviations of their difference
    most = 6 * Noisy.noise * np.sqrt(2 / (7 * 400))
    assert np.abs(often.relevance - quiet.relevance).max() < most < np.abs(once.relevance - quiet.relevance).max()
    assert "repeat" not in quiet.settings


def test_a_net_whose_windows_are_not_its_images_is_refused() -> None:
    class Two(MapNet):
        def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
            return 0.9 * super().evaluate(*args, **settings)

    with pytest.raises(SettingsError, match="other values of 'prob' for an image that is put together of windows"):
        analysis(Two(SHAPE), IMAGE, NormalSampler(), **ASKED)


def test_a_trial_for_which_memory_is_too_small_is_left_out() -> None:
    class Small(MapNet):
        def forward(self, inputs: np.ndarray, blobs: Any) -> dict[str, np.ndarray]:
            if len(inputs) > 1:
                raise MemoryError("no room")
            return super().forward(inputs, blobs)

    assert analysis(Small(SHAPE), IMAGE, NormalSampler(), **ASKED).notes == ()


def test_draws_without_a_number_are_counted_and_told_of() -> None:
    image = IMAGE.copy()
    image[0, 0, 0] = 100.0  # some of the draws around 128 are brighter
    with pytest.warns(InputWarning, match="NaN or infinity for draws in 1 of 20 windows"):
        result = pd.explain(Holed(SHAPE), image, NormalSampler(), **ASKED)
    hole = np.isnan(result.relevance)
    assert hole[:, :3, :3].all()
    assert hole.sum() == 2 * 9
    assert any("in 1 of 20 windows" in note for note in result.notes)


def test_an_image_without_a_number_is_refused_and_so_is_a_map_of_none() -> None:
    net = Holed(SHAPE)
    with pytest.raises(ExplanationError, match="gives NaN for the image itself, in 4 of 4 values of blob 'prob'"):
        pd.explain(net, np.full(SHAPE, 200.0), NormalSampler(), **ASKED)
    net.limit = 101.0
    with pytest.raises(ExplanationError, match="draws in 1 of 1 windows: there is nothing to make a map of"):
        pd.explain(
            net, np.full(SHAPE, 100.0), pd.samplers.grey.GreyPatch(150), **{**ASKED, "window": (9, 10), "stride": 9}
        )
