"""Infills: what they leave of a picture, and what they cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.oracle_nets import photo
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import SettingsError
from predicdiff.judging.infills import INFILLS, blurred, find, inpainted

each_infill = pytest.mark.parametrize("name", INFILLS)


def hole(shape: tuple[int, int]) -> np.ndarray:
    gone = np.zeros(shape, bool)
    gone[shape[0] // 3 : shape[0] // 2 + 1, shape[1] // 4 : shape[1] // 2 + 1] = True
    return gone


@each_infill
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 7, 13), (2, 1, 5), (1, 1, 1)])
def test_a_plain_picture_is_filled_with_its_colour(name: str, shape: tuple[int, int, int]) -> None:
    pixels = np.broadcast_to(np.arange(10, 10 + shape[0], dtype=np.float32)[:, None, None], shape)
    for gone in (hole(shape[1:]), np.ones(shape[1:], bool)):
        filled = INFILLS[name](pixels)(gone)
        assert filled.shape == shape
        np.testing.assert_allclose(filled, pixels, rtol=1e-5)


@each_infill
def test_values_stay_between_the_darkest_and_the_brightest(name: str) -> None:
    pixels = photo((3, 21, 34))
    filled = INFILLS[name](pixels)(hole((21, 34)))
    for channel, original in zip(filled, pixels):
        assert original.min() - 1e-3 <= channel.min() <= channel.max() <= original.max() + 1e-3


@each_infill
def test_the_picture_itself_is_not_changed(name: str) -> None:
    pixels = photo((2, 9, 8))
    before = pixels.copy()
    INFILLS[name](pixels)(hole((9, 8)))
    np.testing.assert_array_equal(pixels, before)


@each_infill
def test_channels_are_filled_each_by_itself(name: str) -> None:
    pixels = photo((3, 12, 12))
    filled = INFILLS[name](pixels)(hole((12, 12)))
    for channel in range(3):
        alone = INFILLS[name](pixels[channel : channel + 1])(hole((12, 12)))
        np.testing.assert_allclose(filled[channel], alone[0], rtol=1e-5)


def test_a_blur_takes_edges_away_and_keeps_the_mean() -> None:
    """A board of squares of 8 pixels; a blur of 10 pixels leaves of it exp(-(pi / 8)^2 10^2 / 2) each way: nothing."""
    board = 255.0 * ((np.arange(200)[:, None] // 8 + np.arange(200) // 8) % 2)[None]
    smooth = blurred(board)(np.ones((200, 200), bool))
    np.testing.assert_allclose(smooth[0, 60:140, 60:140], 127.5, atol=1.0)


def test_a_blur_is_as_wide_as_the_picture_is_large() -> None:
    """A point becomes a Gaussian of a twentieth of the longer side."""
    point = np.zeros((1, 41, 100))
    point[0, 20, 50] = 1.0
    profile = blurred(point)(np.ones((41, 100), bool))[0].sum(axis=0)
    variance = (profile * (np.arange(100) - 50) ** 2).sum() / profile.sum()
    assert variance == pytest.approx(25, rel=0.01)


def test_inpainting_keeps_what_is_left_and_knows_nothing_of_what_is_gone() -> None:
    pixels, gone = photo((3, 15, 22)), hole((15, 22))
    filled = inpainted(pixels)(gone)
    np.testing.assert_array_equal(filled[:, ~gone], pixels[:, ~gone])
    other = np.where(gone, 255 - pixels, pixels)
    np.testing.assert_array_equal(inpainted(other)(gone), filled)


def test_inpainting_continues_a_ramp() -> None:
    ramp = np.broadcast_to(np.linspace(0, 100, 64), (1, 64, 64))
    gone = np.zeros((64, 64), bool)
    gone[24:40, 24:40] = True
    filled = inpainted(ramp)(gone)
    assert np.abs(filled - ramp).max() < 12  # half the hole's width is 12.7
    assert np.abs(filled - ramp)[0, gone].mean() < 5


def test_inpainting_does_not_show_where_the_hole_was() -> None:
    pixels = np.full((1, 32, 32), 7.0)
    pixels[0, :, 16:] = 90.0
    gone = np.zeros((32, 32), bool)
    gone[:, 12:20] = True
    steps = np.abs(np.diff(inpainted(pixels)(gone)[0], axis=1))
    assert steps.max() < 40  # the edge of 83 is spread out
    assert inpainted(pixels)(np.ones((32, 32), bool)).max() == pytest.approx(48.5)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_inpainting_fills_every_hole(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels, gone = random.uniform(100, 200, (2, height, width)), random.random((height, width)) < 0.7
    filled = inpainted(pixels)(gone)
    assert filled.shape == pixels.shape
    assert filled.min() >= 99.99
    assert filled.max() <= 200.01


def test_an_infill_is_found_by_name_or_taken_as_it_is() -> None:
    assert find("blur") is blurred
    assert find(inpainted) is inpainted
    with pytest.raises(SettingsError, match="infill 'grey' is unknown: want blur, inpaint or a function"):
        find("grey")
