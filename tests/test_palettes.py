"""Colour maps as eyes see them: steps by CIEDE2000, simulated colour vision by published matrices, contrast by WCAG."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from predicdiff import overlays
from predicdiff.errors import SettingsError
from predicdiff.palettes import COLOUR_MAPS

#: Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
VISION = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
WHITE = np.full((1, 41, 3), 255, np.uint8)
LEVELS = np.linspace(-1.0, 1.0, 41)[None]


def linear(colours: np.ndarray) -> np.ndarray:
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def seen_by(vision: str, colours: np.ndarray) -> np.ndarray:
    light = np.clip(linear(colours) @ np.array(VISION[vision]).T, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def steps(colours: np.ndarray) -> np.ndarray:
    """How different neighbours along a row of colours look."""
    lab = rgb2lab(colours)
    return np.asarray(deltaE_ciede2000(lab[0, :-1], lab[0, 1:]))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("name", ["okabe", "vik"])
@pytest.mark.parametrize("level", [0.25, 0.5, 0.75, 1.0])
def test_for_against_and_contradiction_are_told_apart_by_any_eyes(vision: str, name: str, level: float) -> None:
    one = COLOUR_MAPS[name]
    contradiction = 1.0 - level * (1.0 - np.array(one.contradiction))
    triple = seen_by(vision, np.array([one.at(np.array(level)), one.at(np.array(-level)), contradiction]))
    first, second, third = rgb2lab(triple[None])[0]
    # a difference of 2 is just seen side by side
    assert deltaE_ciede2000(first, second) > 20
    assert min(deltaE_ciede2000(first, third), deltaE_ciede2000(second, third)) > 10


def test_the_simulated_eyes_confuse_red_and_green() -> None:
    """The matrices do what they are for: two colours of equal lightness that differ as red and green do."""
    red, green = np.array([[[0.75, 0.35, 0.1], [0.47, 0.49, 0.1]]])[0]
    plain = deltaE_ciede2000(*rgb2lab(np.array([red, green])[None])[0])
    seen = deltaE_ciede2000(*rgb2lab(seen_by("deuteranopia", np.array([red, green]))[None])[0])
    assert seen < 0.3 * plain


@pytest.mark.parametrize("drawn", ["heat", "overlay"])
def test_equal_steps_of_the_even_map_look_equally_large(drawn: str) -> None:
    def row(cmap: str) -> np.ndarray:
        if drawn == "heat":
            return overlays.heat(LEVELS, scale=1.0, cmap=cmap)
        return overlays.overlay(LEVELS, WHITE, scale=1.0, cmap=cmap)

    even, seismic = steps(row("vik")), steps(row("seismic"))
    assert even.max() / even.min() < 1.4
    assert seismic.max() / seismic.min() > 4.0
    lightness = rgb2lab(row("vik"))[0, :, 0]
    assert (np.diff(lightness) * ([1] * 20 + [-1] * 20) > 2.0).all()
    np.testing.assert_allclose(lightness, lightness[::-1], atol=5.0)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_words_in_a_maps_inks_can_be_read_on_white(name: str) -> None:
    for sign in (-1, 1):
        ink = COLOUR_MAPS[name].ink(sign)
        colour = np.array([int(ink[start : start + 2], 16) / 255 for start in (1, 3, 5)])
        assert 1.05 / (linear(colour) @ (0.2126, 0.7152, 0.0722) + 0.05) >= 4.5


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_words_are_those_that_people_have_for_the_colours(name: str) -> None:
    """By hue, as CIELAB's angle, of the colours at three quarters of the scale."""
    hues = {
        "red": (20, 50),
        "orange": (45, 75),
        "brown": (40, 70),
        "blue": (230, 310),
        "green": (140, 190),
        "amber": (65, 90),
    }
    one = COLOUR_MAPS[name]
    told = [(one.positive, one.at(np.array(0.75))), (one.negative, one.at(np.array(-0.75)))]
    for word, colour in [*told, (one.contradicting, np.array(one.contradiction))]:
        _, a, b = rgb2lab(np.asarray(colour)[None, None])[0, 0]
        low, high = hues[word]
        assert low < np.degrees(np.arctan2(b, a)) % 360 < high, (word, np.degrees(np.arctan2(b, a)) % 360)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_a_map_is_clear_at_zero_and_the_more_coloured_the_stronger(name: str) -> None:
    pane = overlays.tint(LEVELS, scale=1.0, cmap=name)[0]
    opacity = pane[:, 3].astype(int)
    assert opacity[20] == 0
    assert (np.diff(opacity)[20:] >= 0).all()
    assert (np.diff(opacity)[:20] <= 0).all()
    assert min(opacity[0], opacity[-1]) > 240


def test_over_white_the_even_map_has_its_own_colours_and_over_black_as_much_of_them() -> None:
    np.testing.assert_allclose(
        overlays.overlay(LEVELS, WHITE, scale=1.0, cmap="vik").astype(int),
        overlays.heat(LEVELS, scale=1.0, cmap="vik"), atol=1,
    )  # fmt: skip
    black = np.zeros((1, 41, 3), np.uint8)  # whose greys are lifted to 0.3
    heat = overlays.heat(LEVELS, scale=1.0, cmap="vik").astype(float)
    wanted = heat - 0.7 * heat.min(axis=2, keepdims=True)
    np.testing.assert_allclose(overlays.overlay(LEVELS, black, scale=1.0, cmap="vik"), wanted, atol=1.5)


@pytest.mark.parametrize(
    ("scale", "wanted"),
    [("own", [2.0, 0.5, 1.0]), ("shared", [2.0, 2.0, 2.0]), (0.25, [0.25] * 3), (np.float32(4), [4.0] * 3)],
)
def test_each_map_has_its_own_scale_or_all_have_one(scale: overlays.Scale, wanted: list[float]) -> None:
    maps = [np.array([[1.0, -2.0, np.nan]]), np.array([[0.5, np.inf]]), np.zeros((2, 2))]
    assert overlays.scales_of(maps, scale) == wanted


@pytest.mark.parametrize("scale", ["", "both", 0, -1.0, np.nan, np.inf, 1e-200, True, None, [1.0]])
def test_what_is_no_scale_is_refused(scale: object) -> None:
    with pytest.raises(SettingsError, match="want 'own', 'shared', or a number above 0"):
        overlays.scales_of([np.ones((1, 1))], scale)  # type: ignore[arg-type]


def test_values_beyond_a_scale_are_told_by_side() -> None:
    relevance = np.array([[1.0, -3.0, np.nan, np.inf]])
    assert [overlays.beyond(relevance, scale) for scale in (0.5, 1.0, 3.0)] == [
        (True, True), (True, False), (False, False),
    ]  # fmt: skip
    assert overlays.beyond(np.full((1, 1), np.nan), 1.0) == (False, False)
