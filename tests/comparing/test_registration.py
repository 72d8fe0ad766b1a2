"""Panels cut in many ways, laid back over the maps that they were cut from."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drawn import jpeg, photo, smooth_map
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import resize, rotate

from predicdiff.comparing.pictures import hsv_overlay, relevance_of
from predicdiff.comparing.registration import Placement, register
from predicdiff.comparing.similarity import similarity
from predicdiff.errors import ImageError

SHAPE = (72, 80)


def small_overlay(relevance: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """The map with noise as smooth as itself, drawn as overlay on 75 x 75 pixels, through a JPEG, turned back."""
    noisy = (
        relevance / relevance.std()
        + noise * smooth_map(seed, relevance.shape) / smooth_map(seed, relevance.shape).std()
    )
    small = resize(noisy, (75, 75), order=3, anti_aliasing=True)
    return relevance_of(jpeg(hsv_overlay(small, photo((75, 75))), 75), style="hsv")


def correlation(panel: np.ndarray, relevance: np.ndarray) -> float:
    return similarity(register(panel, relevance)[0], relevance).pearson


def test_a_panel_of_the_same_size_stays() -> None:
    relevance = smooth_map(0, SHAPE)
    panel, placement = register(3 * relevance + 1, relevance)
    assert placement == Placement((1.0, 1.0), (0.0, 0.0))
    np.testing.assert_array_equal(panel, 3 * relevance + 1)


@pytest.mark.parametrize("size", [(72, 80), (123, 137), (50, 90), (216, 240), (31, 33)])
def test_any_size(size: tuple[int, int]) -> None:
    relevance = smooth_map(1, SHAPE)
    panel = resize(relevance, size, order=3, anti_aliasing=True)
    aligned, placement = register(panel, relevance)
    assert aligned.shape == SHAPE
    assert np.isfinite(aligned).all()
    assert similarity(aligned, relevance).pearson > 0.99
    assert placement.scale == pytest.approx((size[0] / 72, size[1] / 80), rel=0.02)


@pytest.mark.parametrize("sides", [(4, 3, 6, 2), (0, 7, 5, 0), (5, 5, 5, 5), (0, 0, 0, 8)])
def test_a_panel_without_some_of_its_border(sides: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = sides
    relevance = smooth_map(2, SHAPE)
    aligned, placement = register(relevance[top : 72 - bottom, left : 80 - right], relevance)
    assert placement.offset == pytest.approx((-top, -left), abs=0.4)
    assert placement.scale == pytest.approx((1.0, 1.0), abs=0.01)
    inside = np.zeros(SHAPE, bool)
    inside[top + 1 : 71 - bottom, left + 1 : 79 - right] = True
    assert np.isfinite(aligned[inside]).all()
    np.testing.assert_allclose(aligned[inside], relevance[inside], atol=0.05)
    outside = np.ones(SHAPE, bool)
    outside[max(top - 1, 0) : 73 - bottom, max(left - 1, 0) : 81 - right] = False
    assert np.isnan(aligned[outside]).all()


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_a_panel_with_a_margin(fill: float) -> None:
    relevance = smooth_map(3, SHAPE)
    panel = np.pad(relevance, ((6, 2), (3, 7)), constant_values=fill)
    aligned, placement = register(panel, relevance)
    assert placement.offset == pytest.approx((6, 3), abs=0.6)
    assert similarity(aligned, relevance).pearson > 0.98


@pytest.mark.parametrize("noise", [0.0, 1.0, 2.5])
def test_a_small_overlay_of_the_whole_map_is_not_cut(noise: float) -> None:
    """Even where the noise is such that free registration could gain more by going elsewhere."""
    for seed in range(3):
        relevance = smooth_map(20 + seed, (112, 112), sigma=7.0)
        panel = small_overlay(relevance, noise, 300 + seed)
        for whole in (False, True):
            placement = register(panel, relevance, whole=whole)[1]
            assert placement.scale == pytest.approx((75 / 112, 75 / 112), rel=0.02)
            assert placement.offset == pytest.approx((0, 0), abs=1.5)


@pytest.mark.parametrize(("sides", "noise"), [((9, 4, 0, 12), 0.0), ((0, 14, 8, 5), 0.2)])
def test_a_small_overlay_without_its_border_is_found(sides: tuple[int, int, int, int], noise: float) -> None:
    top, bottom, left, right = sides
    relevance = smooth_map(23, (112, 112), sigma=7.0)
    seen = relevance[top : 112 - bottom, left : 112 - right]
    placement = register(small_overlay(seen, noise, 303), relevance)[1]
    scale = 75 / seen.shape[0], 75 / seen.shape[1]
    assert placement.scale == pytest.approx(scale, rel=0.03)
    assert placement.offset == pytest.approx((-top * scale[0], -left * scale[1]), abs=2.0)


@pytest.mark.parametrize(("shift", "found"), [((1, -1), (1.0, -1.0)), ((5, 0), (0.02 * 72, 0.0)), ((0, 0), (0.0, 0.0))])
def test_a_whole_panel_is_shifted_by_a_fiftieth_at_most(shift: tuple[int, int], found: tuple[float, float]) -> None:
    larger = smooth_map(24, (92, 100))
    panel = larger[10 - shift[0] : 82 - shift[0], 10 - shift[1] : 90 - shift[1]]
    placement = register(panel, larger[10:82, 10:90], whole=True)[1]
    assert placement.scale == (1.0, 1.0)
    assert placement.offset == pytest.approx(found, abs=0.3)
    assert np.all(np.abs(placement.offset) <= 0.02 * np.array(SHAPE) + 1e-9)


def test_a_panel_of_the_opposite_sign_is_found_as_well() -> None:
    relevance = smooth_map(4, SHAPE)
    panel = np.pad(relevance, ((6, 2), (3, 7)))[:, 5:]
    assert register(panel, relevance)[1] == register(-panel, relevance)[1]
    assert correlation(-panel, relevance) == pytest.approx(-correlation(panel, relevance))


def test_maps_of_other_images_stay_far_below() -> None:
    panel = smooth_map(5, SHAPE)[3:, :-4]
    others = [correlation(panel, smooth_map(100 + seed, SHAPE)) for seed in range(4)]
    assert np.abs(others).max() < 0.6
    assert correlation(panel, smooth_map(5, SHAPE)) > 0.99


def test_no_turns_are_tried() -> None:
    relevance = smooth_map(6, SHAPE)
    assert abs(correlation(rotate(relevance, 180), relevance)) < 0.6


@settings(max_examples=5)
@given(
    scale=st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)),
    shift=st.tuples(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05)),
    seed=st.integers(0, 1000),
)
def test_a_known_placement_is_found(scale: tuple[float, float], shift: tuple[float, float], seed: int) -> None:
    """The panel is the map seen through a known window, by sampling a sum of waves where that is exact."""
    waves = np.random.default_rng(seed).uniform(-1, 1, (3, 40)) * np.array([[0.35], [0.35], [np.pi]])

    def field(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        phases = rows[:, None, None] * waves[0] + columns[None, :, None] * waves[1] + waves[2]
        return np.cos(phases).sum(axis=2)

    relevance = field(np.arange(72) + 0.5, np.arange(80) + 0.5)
    # panel pixel p lies at the map's coordinate (p + 1/2 - offset) / scale
    offset = [size * (0.5 + away - factor / 2) for size, away, factor in zip(SHAPE, shift, scale)]
    at = [(np.arange(size) + 0.5 - start) / factor for size, start, factor in zip(SHAPE, offset, scale)]
    aligned, placement = register(field(*at), relevance)
    assert placement.scale == pytest.approx(scale, abs=0.01)
    assert placement.offset == pytest.approx(offset, abs=0.5)
    assert similarity(aligned, relevance).pearson > 0.99


def test_unknown_pixels_are_left_out() -> None:
    relevance = smooth_map(7, SHAPE)
    panel = relevance[4:, 5:].copy()
    panel[20:30, 20:40] = np.nan
    seen = relevance.copy()
    seen[50:60, :30] = np.nan
    aligned, placement = register(panel, seen)
    assert placement.offset == pytest.approx((-4, -5), abs=0.4)
    assert np.isnan(aligned[25:33, 27:43]).all()
    assert np.isfinite(aligned[50:60, 8:30]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 300)])
def test_small_and_thin_maps_are_laid_border_on_border_at_least(shape: tuple[int, int]) -> None:
    relevance = np.arange(float(shape[0] * shape[1])).reshape(shape)
    assert register(relevance, relevance)[1] == Placement((1.0, 1.0), (0.0, 0.0))


@pytest.mark.parametrize("panel", [np.ones((20, 30)), smooth_map(0, (20, 30))])
def test_a_map_without_a_pattern_leaves_border_on_border(panel: np.ndarray) -> None:
    aligned, placement = register(panel, np.zeros((40, 60)))
    assert placement == Placement((0.5, 0.5), (0.0, 0.0))
    assert aligned.shape == (40, 60)


def test_taking_keeps_the_mean_when_it_shrinks() -> None:
    panel = np.random.default_rng(0).normal(size=(64, 64)) + 5
    small = Placement.stretched((64, 64), (8, 8)).take(panel, (8, 8))
    assert small.mean() == pytest.approx(panel.mean(), abs=0.1)
    assert small.std() < 0.3  # of 64 independent values each, not of one


def test_taking_interpolates_between_pixel_centres() -> None:
    ramp = np.arange(10.0)[None].repeat(4, axis=0)
    taken = Placement((1.0, 0.5), (0.0, 2.25)).take(ramp, (4, 6))
    np.testing.assert_allclose(taken, np.tile((np.arange(6) + 0.5) * 0.5 + 2.25 - 0.5, (4, 1)))


def test_inputs_stay_as_they_are() -> None:
    panel, relevance = smooth_map(8, (40, 50)), smooth_map(9, (44, 44))
    before = panel.copy(), relevance.copy()
    register(panel, relevance)[0][:] = 0
    np.testing.assert_array_equal(panel, before[0])
    np.testing.assert_array_equal(relevance, before[1])


def test_what_is_no_map_is_refused() -> None:
    good = smooth_map(0, (20, 20))
    with pytest.raises(ImageError, match=r"a panel has the shape \(height, width\), this one \(20, 20, 3\)"):
        register(np.zeros((20, 20, 3)), good)
    with pytest.raises(ImageError, match=r"a map has the shape \(height, width\), this one \(0, 3\)"):
        register(good, np.zeros((0, 3)))
    with pytest.raises(ImageError, match="nothing in the panel of 20 x 30 pixels is a finite number"):
        register(np.full((20, 30), np.nan), good)
