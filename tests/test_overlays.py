"""Colours of maps against matplotlib's own colour map, explicit blending and hand-made arrays."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.colours import DUSK
from hypothesis import given
from hypothesis import strategies as st

from predicdiff import overlays, palettes
from predicdiff.errors import ImageError, SettingsError
from predicdiff.tones import PIXELS

WHITE = np.full((2, 3, 3), 255, np.uint8)


def random_map(seed: int = 0, shape: tuple[int, int] = (7, 9)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_heat_has_the_colours_of_matplotlibs_seismic() -> None:
    cm = pytest.importorskip("matplotlib.cm")
    relevance = np.linspace(-2, 2, 257)[None]
    wanted = cm.seismic((relevance + 2) / 4)[..., :3] * 255
    # matplotlib has 256 steps, ours are as fine as a byte
    np.testing.assert_allclose(overlays.heat(relevance), wanted, atol=3)


def test_heat_is_red_for_blue_against_white_at_zero_and_grey_where_unknown() -> None:
    red, blue, zero, unknown = overlays.heat(np.array([[1.0, -1.0, 0.0, np.nan]]), scale=2.0)[0].tolist()
    assert (red, blue, zero) == ([255, 0, 0], [0, 0, 255], [255, 255, 255])
    assert unknown[0] == unknown[1] == unknown[2] not in (0, 255)


def test_values_beyond_the_scale_get_the_full_colour() -> None:
    np.testing.assert_array_equal(overlays.heat(np.array([[5.0, -5.0]]), scale=1.0)[0], [[128, 0, 0], [0, 0, 76]])


def test_tint_is_as_opaque_as_the_influence_is_strong() -> None:
    pane = overlays.tint(np.array([[0.0, 0.5, -1.0, np.nan, np.inf]]), scale=1.0)[0]
    assert pane[:, 3].tolist() == [0, 128, 255, 0, 0]


def test_tint_is_clear_where_told() -> None:
    hide = np.array([[True, False]])
    assert overlays.tint(np.ones((1, 2)), hide=hide)[0, :, 3].tolist() == [0, 255]


@given(seed=st.integers(0, 1000), grey=st.integers(2, 255))  # of floats 1 is white
def test_overlay_blends_the_pane_with_the_greyed_image(seed: int, grey: int) -> None:
    relevance = random_map(seed)
    pane = overlays.tint(relevance) / 255.0
    ground = np.full((3, 7, 9), grey, np.float32)
    low, high = overlays.GREYS
    below = 255.0 * (low + (high - low) * grey / 255.0)
    wanted = np.empty((7, 9, 3))
    for row in range(7):
        for column in range(9):
            colour, opacity = pane[row, column, :3] * 255.0, pane[row, column, 3]
            wanted[row, column] = colour * opacity + below * (1 - opacity)
    np.testing.assert_allclose(overlays.overlay(relevance, ground), wanted, atol=1.01)


def test_overlay_of_pixels_and_of_an_image_agree() -> None:
    image = np.random.default_rng(1).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    pixels = image.transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_array_equal(overlays.overlay(random_map(), image), overlays.overlay(random_map(), pixels))


@pytest.mark.parametrize("value", [0.0, np.nan, 1e-300])
def test_a_map_without_influence_leaves_the_greyed_image(value: float) -> None:
    image = np.random.default_rng(1).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    np.testing.assert_array_equal(overlays.overlay(np.full((7, 9), value), image), overlays.greyed(image))


def test_grey_is_luma() -> None:
    low, high = overlays.GREYS
    grey = overlays.greyed(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))[0, :, 0]
    np.testing.assert_allclose(grey, 255 * (low + (high - low) * np.array([0.299, 0.587, 0.114])), atol=0.51)


def test_inputs_stay_as_they_are_and_results_alias_nothing() -> None:
    relevance, image = random_map(), np.zeros((7, 9, 3), np.uint8)
    before = relevance.copy()
    for drawn in (overlays.overlay(relevance, image), overlays.picture(image)):
        drawn[:] = 7
    np.testing.assert_array_equal(relevance, before)
    assert not image.any()


def test_picture_of_three_channels_is_rgb_and_rounded() -> None:
    pixels = np.array([[[10.4]], [[20.6]], [[255.3]]], np.float32)
    assert overlays.picture(pixels).tolist() == [[[10, 21, 255]]]


def test_picture_of_one_channel_is_grey_and_of_others_their_mean() -> None:
    assert overlays.picture(np.full((1, 1, 1), 40.0)).tolist() == [[[40, 40, 40]]]
    assert overlays.picture(np.array([10.0, 20.0, 40.0, 90.0]).reshape(4, 1, 1)).tolist() == [[[40, 40, 40]]]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([-100.0, 0.0, 300.0], [0, 64, 255]),
        ([0.0, 0.25, 1.0], [0, 64, 255]),
        ([0.1, 0.25, 0.5], [26, 64, 128]),
        ([-1.0, -0.5, 1.0], [0, 64, 255]),
        ([-2.0, -0.8, 2.8], [0, 64, 255]),
        ([200.0, 1100.0, 3800.0], [0, 64, 255]),
        ([0.0, 0.8, 3.2], [0, 64, 255]),
        ([0.0, 1.0, 3.0], [0, 1, 3]),  # whole numbers: a dark photograph
        ([0.0, 64.0, 255.4], [0, 64, 255]),
    ],
)
def test_picture_draws_values_by_their_own_range(values: list[float], shown: list[int]) -> None:
    assert overlays.picture(np.array(values).reshape(1, 1, 3))[0, :, 0].tolist() == shown
    of_the_net = overlays.picture(np.array(values).reshape(1, 1, 3), tones=PIXELS)[0, :, 0]
    np.testing.assert_array_equal(of_the_net, np.clip(np.rint(values), 0, 255))


def test_picture_of_nan_is_black() -> None:
    assert overlays.picture(np.array([np.nan, 7.0]).reshape(1, 1, 2))[0, :, 0].tolist() == [0, 7]
    assert not overlays.picture(np.full((3, 2, 2), np.nan)).any()


def test_scale_is_the_largest_magnitude_of_what_is_finite() -> None:
    assert overlays.symmetric_scale(np.array([1.0, -3.0, np.nan, np.inf])) == 3.0


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan], [], [1e-200]])
def test_scale_of_nothing_is_one(values: list[float]) -> None:
    assert overlays.symmetric_scale(np.array(values)) == 1.0


def test_a_percentile_cuts_outliers_off_but_never_all() -> None:
    values = np.append(np.arange(100.0), 1e6)
    assert overlays.symmetric_scale(values, percentile=99.0) == 99.0
    assert overlays.symmetric_scale(np.append(np.zeros(999), 4.0), percentile=99.0) == 4.0


def test_saliency_goes_from_black_to_white_by_magnitude() -> None:
    shown = overlays.saliency(np.array([[0.0, 1.0, -2.0, 9.0, np.nan]]), scale=2.0)
    assert shown[0, :, 0].tolist() == [0, 128, 255, 255, 0]
    assert (shown[..., 0] == shown[..., 1]).all()
    assert (shown[..., 0] == shown[..., 2]).all()


@given(seed=st.integers(0, 1000), part=st.floats(0.001, 1.0), levels=st.integers(1, 40))
def test_top_mask_holds_exactly_so_many_of_the_largest(seed: int, part: float, levels: int) -> None:
    relevance = np.random.default_rng(seed).integers(-levels, levels + 1, (7, 9)).astype(float)
    mask = overlays.top_mask(relevance, part=part)
    assert mask.sum() == max(1, round(part * 63))
    places = sorted(np.ndindex(7, 9), key=lambda place: (-abs(relevance[place]), place))
    assert {tuple(place) for place in np.argwhere(mask).tolist()} == set(places[: mask.sum()])


def test_top_mask_takes_both_signs_the_first_of_equals_and_nothing_unknown() -> None:
    relevance = np.array([[np.nan, 1.0, -2.0], [1.0, np.inf, 1.0]])
    assert overlays.top_mask(relevance, part=0.5).tolist() == [[False, True, True], [True, False, False]]


def test_a_part_of_the_pixels_that_cannot_be_had_is_refused() -> None:
    for part in (0.0, 1.01, np.nan):
        with pytest.raises(SettingsError, match="more than 0 and at most 1"):
            overlays.top_mask(np.ones((2, 3)), part=part)
    with pytest.raises(ImageError, match=r"has 5 pixels that are finite: want at least 6"):
        overlays.top_mask(np.array([[1.0, 2.0, np.nan], [1.0, 2.0, 3.0]]), part=1.0)
    with pytest.raises(ImageError, match=r"this one \(1, 2, 3\)"):
        overlays.top_mask(np.zeros((1, 2, 3)))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(SettingsError, match="want a finite number above zero"):
        overlays.heat(np.zeros((2, 3)), scale=scale)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ImageError, match=r"this one \(1, 2, 3\)"):
        overlays.heat(np.zeros((1, 2, 3)))
    with pytest.raises(ImageError, match=r"the map is \(7, 9\), the image under it \(2, 3\)"):
        overlays.overlay(random_map(), WHITE)
    with pytest.raises(ImageError, match=r"to hide has the shape \(2, 3\), the map \(7, 9\)"):
        overlays.tint(random_map(), hide=np.zeros((2, 3), bool))
    with pytest.raises(ImageError, match=r"these \(4, 5\)"):
        overlays.picture(np.zeros((4, 5)))


@pytest.mark.parametrize("percentile", [0.0, 101.0, np.nan])
def test_a_percentile_out_of_range_is_refused(percentile: float) -> None:
    with pytest.raises(SettingsError, match="more than 0 and at most 100"):
        overlays.symmetric_scale(np.ones(3), percentile=percentile)


def test_a_colour_map_of_ones_own_gives_maps_its_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(palettes.COLOUR_MAPS, "dusk", DUSK)
    relevance = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    wanted = [[0, 255, 0], [51, 178, 51], [102, 102, 102], [178, 178, 51], [255, 255, 0]]
    np.testing.assert_allclose(overlays.heat(relevance, cmap="dusk")[0], wanted, atol=1)
    ends = [wanted[0], wanted[-1]]
    np.testing.assert_array_equal(overlays.tint(relevance, cmap="dusk")[0, [0, 4], :3], ends)
    black = np.zeros((3, 1, 5))
    np.testing.assert_array_equal(overlays.overlay(relevance, black, cmap="dusk")[0, [0, 4]], ends)
    with pytest.raises(SettingsError, match="colour map 'dawn' is unknown: want one of seismic, okabe, vik, dusk"):
        overlays.heat(relevance, cmap="dawn")
