"""Colours turned back, held against the maps they were drawn from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn import blend, cut, draw, hsv, jpeg, larger, margin, multiply, photo, plain, smooth_map
from skimage import data
from skimage.color import rgb2gray

from predicdiff import budget
from predicdiff.comparing.pictures import (
    clipped,
    edges,
    hsv_overlay,
    luminance,
    multiply_overlay,
    relevance_of,
    style_of,
)
from predicdiff.comparing.similarity import Similarity, similarity
from predicdiff.errors import ImageError, SettingsError
from predicdiff.images import load_image
from predicdiff.overlays import heat

STYLES = ("plain", "hsv", "blend")
GROUNDS = ("chelsea", "coffee", "astronaut", "rocket")


def turned_back(style: str, seed: int, quality: int, ground: str = "chelsea", asked: str = "auto") -> Similarity:
    relevance = smooth_map(seed)
    return similarity(relevance, relevance_of(jpeg(draw(style, relevance, ground), quality), style=asked))


def test_an_overlay_in_hsv_is_that_of_scikit_image() -> None:
    relevance = smooth_map(16)
    drawn = hsv_overlay(relevance, photo(relevance.shape))
    # matplotlib's colours are 256, and the two greys differ by some hundredths
    np.testing.assert_allclose(drawn.astype(float), hsv(relevance, photo(relevance.shape)), atol=6)
    doubled = hsv_overlay(2 * relevance, photo(relevance.shape), scale=2.0)
    np.testing.assert_array_equal(doubled, hsv_overlay(relevance, photo(relevance.shape), scale=1.0))
    relevance[:4] = np.nan
    assert np.ptp(hsv_overlay(relevance, photo(relevance.shape))[:4], axis=2).max() == 0
    with pytest.raises(ImageError, match=r"the map is \(96, 104\), the picture \(50, 60\)"):
        hsv_overlay(relevance, photo((50, 60)))


def test_an_overlay_in_hsv_gives_back_the_map_limited_to_half() -> None:
    relevance = smooth_map(17, (75, 75))
    drawn = hsv_overlay(relevance, photo((75, 75)))
    limited = clipped(relevance, "hsv")
    # where the map is cut off it has a kink, of which averaging over a pixel takes 0.4 times the slope
    slope = np.abs(np.gradient(relevance)).max()
    np.testing.assert_allclose(relevance_of(drawn, style="hsv"), limited, atol=0.4 * np.sqrt(2) * slope)
    small = relevance_of(jpeg(drawn, 75), style="hsv")
    assert similarity(limited, small).pearson > 0.98
    assert similarity(limited, small).pearson > similarity(relevance, small).pearson


@pytest.mark.parametrize("ground", GROUNDS)
def test_multiplied_colours_give_back_all_of_the_map_where_the_ground_is_known(ground: str) -> None:
    relevance, below = smooth_map(18, (75, 75)), photo((75, 75), ground)
    # scikit-image weighs the colours of a grey picture by another standard than ours
    ours = multiply_overlay(relevance, below).astype(int) - multiply(relevance, below)
    assert np.abs(ours).mean() < 0.4 * 255 * np.abs(luminance(below) - rgb2gray(below)).mean() + 1
    drawn = jpeg(multiply(relevance, below), 75)
    assert style_of(drawn) == "multiply"
    limited, known = relevance_of(drawn), relevance_of(drawn, ground=larger(below, 1.5))
    assert similarity(clipped(relevance, "multiply"), limited).pearson > 0.98
    assert similarity(relevance, known).pearson > max(0.98, similarity(relevance, limited).pearson)
    strong = np.abs(relevance) > 0.6
    assert similarity(np.where(strong, np.abs(relevance), np.nan), np.abs(known)).pearson > 0.7
    assert (np.abs(limited) <= 0.5).all()


def test_a_small_jpeg_of_plain_colours_keeps_the_map() -> None:
    """Colour at every second pixel is too coarse for a map of 50 x 50; lightness is not."""
    relevance = smooth_map(19, (50, 50), sigma=2.0)
    recovered = relevance_of(jpeg(plain(relevance), 75))
    assert np.isfinite(recovered).all()
    assert similarity(relevance, recovered).pearson > 0.97


def test_the_papers_panels_are_read_as_they_were_drawn(shared: Path) -> None:
    styles = {1: "multiply", 3: "multiply", 4: "plain", 6: "plain", 7: "hsv", 8: "multiply"}
    entries = json.loads((shared / "paper" / "panels.json").read_text())
    found = {entry["picture"]: style_of(load_image(shared / "paper" / entry["picture"])) for entry in entries}
    # one spot of colour on a grey picture may be either, and comes back the same
    expected = {
        entry["picture"]: "hsv" if "balloon_vgg" in entry["picture"] else styles[entry["figure"]] for entry in entries
    }
    assert found == expected


def test_overlays_that_end_at_half_of_the_scale_limit_a_map() -> None:
    relevance = np.array([[-4.0, -1.0, np.nan], [0.0, 2.5, 3.0]])
    for style in ("hsv", "multiply"):
        np.testing.assert_array_equal(clipped(relevance, style), [[-2.0, -1.0, np.nan], [0.0, 2.0, 2.0]])
    for style in ("plain", "blend"):
        np.testing.assert_array_equal(clipped(relevance, style), relevance)
    assert np.isnan(clipped(np.full((2, 2), np.nan), "hsv")).all()


def test_luminance_and_edges_of_a_step() -> None:
    picture = np.zeros((9, 12, 3), np.uint8)
    picture[:, 6:] = 255, 0, 0
    np.testing.assert_allclose(
        luminance(picture), np.repeat([[0.0, 0.299]], 6, axis=1).repeat(9, axis=0).reshape(9, 12)
    )
    steep = edges(picture)
    # Sobel's filter sees half the step from either side, and a lone direction counts 1 / sqrt 2
    np.testing.assert_allclose(steep[1:-1, 5:7], 0.299 / np.sqrt(2))
    np.testing.assert_allclose(np.delete(steep, [5, 6], axis=1), 0.0, atol=1e-12)
    with pytest.raises(ImageError, match=r"a picture is an RGB array \(height, width, 3\) of uint8, this one \(4, 5\)"):
        edges(np.zeros((4, 5), np.uint8))


def test_every_level_of_the_curve_comes_back() -> None:
    levels = np.linspace(-1, 1, 256)
    recovered = relevance_of(np.repeat(plain(levels[None]), 9, axis=0), style="plain")
    np.testing.assert_allclose(recovered, np.repeat(levels[None], 9, axis=0), atol=0.01)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("quality", [75, 85, 95])
@pytest.mark.parametrize("ground", GROUNDS)
def test_a_jpeg_gives_back_its_map(style: str, quality: int, ground: str) -> None:
    seed = GROUNDS.index(ground)
    assert style_of(jpeg(draw(style, smooth_map(seed), ground), quality)) == style
    figures = turned_back(style, seed, quality, ground)
    assert figures.pearson > 0.95
    assert figures.spearman > 0.93
    assert figures.sign_agreement > 0.9
    assert figures.pixels > 0.95 * 96 * 104


@pytest.mark.parametrize("style", STYLES)
def test_red_is_for_and_blue_against(style: str) -> None:
    relevance = smooth_map(4)
    relevance[:48], relevance[48:] = np.abs(relevance[:48]), -np.abs(relevance[48:])
    strong = np.abs(relevance) > 0.3
    strong[44:52] = False  # JPEG smears the edge
    recovered = relevance_of(jpeg(draw(style, relevance), 90))
    np.testing.assert_array_equal(np.sign(recovered[strong]), np.sign(relevance[strong]))


@pytest.mark.parametrize("style", STYLES)
def test_order_is_kept(style: str) -> None:
    """Up to half the scale, above which an overlay in HSV tells nothing apart."""
    relevance = smooth_map(5)
    recovered = relevance_of(draw(style, relevance, "rocket"), style=style)
    assert np.abs(recovered).max() <= 1.0
    means = [recovered[(relevance > low) & (relevance <= low + 0.1)].mean() for low in np.arange(-0.5, 0.45, 0.1)]
    assert (np.diff(means) > 0.02).all()


def test_a_blend_tells_the_strong_from_the_strongest() -> None:
    relevance = smooth_map(6, sigma=12)
    recovered = relevance_of(blend(relevance, photo(relevance.shape)))
    assert recovered[relevance > 0.8].mean() > recovered[(relevance > 0.5) & (relevance < 0.6)].mean() + 0.1


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_chroma_kept_for_fewer_pixels_costs_little(style: str, subsampling: int) -> None:
    relevance = smooth_map(7)
    recovered = relevance_of(jpeg(draw(style, relevance), 80, subsampling=subsampling))
    assert similarity(relevance, recovered).pearson > 0.95


def test_an_overlay_on_a_picture_with_black_parts() -> None:
    """Hue of the dark is noise: it takes its neighbours', and what has none is left out."""
    relevance = smooth_map(8)
    recovered = relevance_of(jpeg(hsv(relevance, photo(relevance.shape, "astronaut"), opacity=0.6, lift=1.0), 85))
    assert np.isnan(recovered).any()
    assert similarity(relevance, recovered).pearson > 0.94
    assert similarity(relevance, recovered).sign_agreement > 0.9


@pytest.mark.parametrize("style", STYLES)
def test_white_around_a_map_is_zero(style: str) -> None:
    picture = margin(draw(style, smooth_map(9)), 9, 0, 0, 14)
    recovered = relevance_of(jpeg(picture, 90))
    around = np.concatenate([recovered[:4].ravel(), recovered[:, -9:].ravel()])
    assert np.abs(around).max() < 0.1


@pytest.mark.parametrize("style", ["hsv", "blend"])
def test_overlay_is_either_of_two(style: str) -> None:
    picture = jpeg(draw(style, smooth_map(2)), 85)
    np.testing.assert_array_equal(relevance_of(picture, style="overlay"), relevance_of(picture, style=style))
    assert style_of(picture, style="overlay") == style


def test_an_overlay_over_white_comes_back_whatever_it_is_taken_for() -> None:
    relevance = smooth_map(3)
    white = np.full((*relevance.shape, 3), 255, np.uint8)
    for picture in (hsv(relevance, white), blend(relevance, white)):
        assert similarity(relevance, relevance_of(jpeg(picture, 85))).pearson > 0.94


@pytest.mark.parametrize("style", STYLES)
def test_other_sizes(style: str) -> None:
    relevance = smooth_map(1)
    recovered = relevance_of(jpeg(cut(larger(draw(style, relevance), 1.7), 0, 0, 0, 0), 80))
    assert recovered.shape == (163, 177)
    nearest = np.rint(np.linspace(0, 162, 96)).astype(int)[:, None], np.rint(np.linspace(0, 176, 104)).astype(int)
    assert similarity(relevance, recovered[nearest]).pearson > 0.95


def test_colours_that_are_none_of_the_maps_are_unknown() -> None:
    relevance = smooth_map(0)
    picture = plain(relevance)
    picture[10:20, 10:30] = (0, 160, 0)
    picture[40:50, 10:30] = 128
    recovered = relevance_of(picture, style="plain")
    unknown = np.zeros(relevance.shape, bool)
    unknown[10:20, 10:30] = unknown[40:50, 10:30] = True
    np.testing.assert_array_equal(np.isnan(recovered), unknown)


def test_what_heat_draws_as_unknown_comes_back_unknown() -> None:
    relevance = smooth_map(0)
    relevance[:30] = np.nan
    np.testing.assert_array_equal(np.isnan(relevance_of(heat(relevance))), np.isnan(relevance))


def test_the_picture_stays_as_it_is() -> None:
    picture = plain(smooth_map(0))
    before = picture.copy()
    relevance_of(picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 3)])
@pytest.mark.parametrize("style", ["auto", *STYLES])
def test_small_pictures(shape: tuple[int, int], style: str) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    picture[..., 0] = 255
    assert (relevance_of(picture, style=style) > 0.3).all()


@pytest.mark.parametrize("name", GROUNDS)
def test_a_photograph_is_not_a_map(name: str) -> None:
    with pytest.raises(ImageError, match="other colours than red and blue"):
        relevance_of(photo((120, 120), name))


def test_a_grey_picture_has_no_signs() -> None:
    grey = np.repeat(data.camera()[::4, ::4, None], 3, axis=2)
    for picture in (grey, np.full((20, 20, 3), 255, np.uint8), jpeg(grey, 75)):
        with pytest.raises(ImageError, match="the picture is grey: want one with a map's red and blue"):
            relevance_of(picture)


def test_a_picture_in_the_dark_is_refused() -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[5:15, 5:15, 0] = 24
    with pytest.raises(ImageError, match="too dark"):
        relevance_of(picture, style="hsv")


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3)), np.zeros((0, 5, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"an RGB array \(height, width, 3\) of uint8, this one \(\d, 5"):
        relevance_of(picture)


def test_unknown_styles_are_refused() -> None:
    with pytest.raises(
        SettingsError, match="style 'viridis' is unknown: want one of auto, plain, overlay, hsv, multiply, blend"
    ):
        relevance_of(plain(smooth_map(0)), style="viridis")


def test_a_picture_that_memory_has_no_room_to_read_is_refused() -> None:
    with budget.within(10**6), pytest.raises(ImageError, match=r"picture wants 1[.]3 MB"):
        relevance_of(np.zeros((100, 100, 3), np.uint8))
