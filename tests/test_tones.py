"""Which values are pixels, and which is the grey among others, by arrays of every range that images come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, photo

import predicdiff as pd
from predicdiff.errors import ImageError, InputWarning, SamplerError
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.samplers.hidden import hidden_marginal
from predicdiff.tones import check_pixels, tones_of

SHAPE = (3, 6, 7)
#: Something of each range, from 0 to 1 with both ends.
RAMP = np.linspace(0, 1, 42).reshape(1, 6, 7)


@pytest.mark.parametrize(
    ("values", "tones"),
    [
        (255 * RAMP, (0, 127.5, 255)),
        (np.rint(3 * RAMP), (0, 127.5, 255)),  # whole numbers: a dark photograph
        ((3 * RAMP).astype(np.uint8), (0, 127.5, 255)),
        (np.rint(RAMP).astype(np.uint8), (0, 127.5, 255)),
        (200 * RAMP - 1e-5, (0, 127.5, 255)),
        (RAMP, (0, 0.5, 1)),
        (0.2 * RAMP, (0, 0.5, 1)),
        (7 * RAMP - 4, (-4, 0, 3)),
        (2 * RAMP - 1, (-1, 0, 1)),
        (3.2 * RAMP, (0, 1.6, 3.2)),
        (4000 * RAMP + 95, (95, 2095, 4095)),
        (np.where(RAMP > 0.5, np.nan, RAMP), (0, 0.5, 1)),
        (np.full((1, 2, 2), np.nan), (0, 0.5, 1)),
    ],
)
def test_black_grey_and_white_by_the_values_alone(values: np.ndarray, tones: tuple[float, float, float]) -> None:
    found = tones_of(values)
    np.testing.assert_allclose((found.black, found.grey, found.white), tones, rtol=1e-12)
    assert found.of == "values"


# all are fine but for rounding, of photographs however dark
@pytest.mark.parametrize(("low", "high"), [(0, 255), (-0.9, 255.9), (0, 2), (0, 0)])
def test_what_is_pixels_of_0_to_255(low: float, high: float) -> None:
    check_pixels(low + (high - low) * RAMP)


# cubic weights at sharp edges, 0 to 1, and both
@pytest.mark.parametrize(("low", "high"), [(-30, 280), (0, 1), (0, 1e-3), (-0.05, 1.08)])
def test_what_may_be_meant_is_warned_of(low: float, high: float) -> None:
    with pytest.warns(InputWarning, match=f"the image's values go from {low} to {high}, but pixels are 0 to 255"):
        check_pixels(low + (high - low) * RAMP)


# less a mean, z-scores, -1 to 1, 12 bits, 16 bits, computed tomography
@pytest.mark.parametrize(("low", "high"), [(-123, 151), (-2.1, 2.6), (-1, 1), (0, 4095), (0, 65535), (-1000, 1040)])
def test_what_is_no_pixels_is_refused(low: float, high: float) -> None:
    with pytest.raises(ImageError, match=f"the image's values go from {low} to {high}, but pixels are 0 to 255"):
        check_pixels(low + (high - low) * RAMP)


def test_whole_numbers_are_refused_alike_and_0_and_1_pass_as_a_dark_picture() -> None:
    check_pixels(np.rint(RAMP).astype(np.int64))
    check_pixels(np.rint(255 * RAMP).astype(np.uint16))
    for beyond in (np.rint(65535 * RAMP).astype(np.uint16), np.rint(2000 * RAMP - 1000).astype(np.int16)):
        with pytest.raises(ImageError, match="pixels are 0 to 255"):
            check_pixels(beyond)
    with pytest.warns(InputWarning, match="pixels are 0 to 255"):
        check_pixels(RAMP > 0.5)


def corpus(factor: float = 1.0) -> np.ndarray:
    return np.stack([photo(SHAPE, seed) for seed in range(1, 6)]) * factor


def explained(image: np.ndarray, sampler: Any, preprocessing: Preprocessing | None = None) -> None:
    net: Any = MapNet(SHAPE)
    net.preprocessing = preprocessing
    pd.explain(net, image, sampler, window=3, stride=3, samples=2, blob="scores", units=[0])


SAMPLERS = [pd.MarginalSampler, lambda images: pd.GaussianSampler.fit(images, 4, patches=200, clip=None)]


@pytest.mark.parametrize("make", SAMPLERS)
def test_a_corpus_of_another_range_than_the_nets_pixels(make: Any) -> None:
    explained(photo(SHAPE), make(corpus()), Preprocessing())
    with pytest.raises(SamplerError, match=r"the sampler's values go from .*, but pixels are 0 to 255"):
        explained(photo(SHAPE), make(corpus(257.0)), Preprocessing())
    with pytest.warns(InputWarning, match=r"the sampler's values go from .*, but pixels are 0 to 255"):
        explained(photo(SHAPE), make(corpus(1 / 255)), Preprocessing())


@pytest.mark.parametrize("make", SAMPLERS)
def test_a_corpus_of_another_range_than_the_inputs_that_the_user_says(make: Any) -> None:
    scores = (photo(SHAPE) - 120) / 60
    explained(scores, make((corpus() - 120) / 60))
    explained(photo(SHAPE) / 255, make(corpus(1 / 255)))
    explained(photo(SHAPE) / 4, make(corpus()))  # a dark one among others
    for image, images in ((scores, corpus()), (photo(SHAPE) / 255, corpus()), (photo(SHAPE), corpus(1 / 255))):
        with pytest.warns(InputWarning, match="make it of images that are brought to the same range"):
            explained(image, make(images))


def test_a_corpus_whose_activations_are_drawn_is_held_against_the_nets_pixels() -> None:
    net: Any = MapNet(SHAPE)
    hidden_marginal(net, corpus(257.0), "maps")
    net.preprocessing = Preprocessing()
    with pytest.raises(ImageError, match=r"the corpus' values go from .*, but pixels are 0 to 255"):
        hidden_marginal(net, corpus(257.0), "maps")
