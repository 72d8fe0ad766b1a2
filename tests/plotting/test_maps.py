"""What figures of explanations show, read back from their pixels."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.figures import no_overlap, words
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from PIL import Image

from predicdiff import budget
from predicdiff.errors import ExplanationError, SettingsError
from predicdiff.explanation import Explanation, Target
from predicdiff.images import Frame
from predicdiff.palettes import COLOUR_MAPS
from predicdiff.plotting import beside, figure, png
from predicdiff.plotting.sheet import render

#: The map's size, and where on it something speaks for the class: off the centre, on no diagonal.
SHAPE, ROWS, COLUMNS = (24, 40), (4, 9), (22, 33)
DPI = 200


def explanation(maps: int = 1, **changes: Any) -> Explanation:
    relevance = np.zeros((maps, *SHAPE))
    relevance[:, slice(*ROWS), slice(*COLUMNS)] = 0.7 / np.arange(1, maps + 1)[:, None, None]
    unchanged = Explanation(
        relevance=relevance,
        stderr=np.full_like(relevance, 0.1),
        targets=[Target("prob", [number], f"class {number}") for number in range(maps)],
        base=np.full(maps, 0.25),
        pixels=np.repeat(np.random.default_rng(0).uniform(0, 255, (1, *SHAPE)), 3, axis=0).astype(np.float32),
        unit="bits",
        settings={"window": 10, "samples": 20, "stride": 1},
    )
    return replace(unchanged, **changes)


def drawn(page: Figure) -> np.ndarray:
    with Image.open(io.BytesIO(render(page, "png", DPI))) as file:
        return np.asarray(file.convert("RGB"), int)


def inside(page: Figure, shown: np.ndarray, axes: int) -> np.ndarray:
    """The part of a drawn figure that lies in one of its axes, their frame left out."""
    place = page.axes[axes].get_window_extent(page.canvas.get_renderer())
    scale, height = DPI / page.dpi, len(shown)
    left, right = round(place.x0 * scale) + 2, round(place.x1 * scale) - 2
    top, bottom = height - round(place.y1 * scale) + 2, height - round(place.y0 * scale) - 2
    return shown[top:bottom, left:right]


def redness(colours: np.ndarray) -> np.ndarray:
    return colours[..., 0] - colours[..., 1:].max(axis=2)


def extent(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """First and last row and column of a mask over a drawn map, in the map's pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    down, along = shape[0] / mask.shape[0], shape[1] / mask.shape[1]
    return np.array([rows[0] * down, (rows[-1] + 1) * down, columns[0] * along, (columns[-1] + 1) * along])


def test_what_speaks_for_the_class_is_red_in_its_place_and_nowhere_else() -> None:
    page = figure(explanation())
    shown = drawn(page)
    red = redness(inside(page, shown, 1)) > 60
    np.testing.assert_allclose(extent(red, SHAPE), [*ROWS, *COLUMNS], atol=0.5)
    filled = (ROWS[1] - ROWS[0]) * (COLUMNS[1] - COLUMNS[0]) / (SHAPE[0] * SHAPE[1])
    assert red.mean() == pytest.approx(filled, rel=0.1)
    assert redness(inside(page, shown, 0)).max() == 0  # the input is grey


def test_what_speaks_against_is_blue() -> None:
    page = figure(explanation(relevance=-explanation().relevance))
    colours = inside(page, drawn(page), 1)
    np.testing.assert_allclose(extent(redness(colours[..., ::-1]) > 60, SHAPE), [*ROWS, *COLUMNS], atol=0.5)


def test_on_the_image_the_map_lies_where_the_net_looked() -> None:
    image = np.full((60, 90, 3), 128, np.uint8)
    frame = Frame(original=(60, 90), resized=(30, 45), corner=(3, 2), size=SHAPE)
    page = figure(explanation(image=image, frame=frame), on_image=True)
    shown = drawn(page)
    red = redness(inside(page, shown, 1)) > 60
    # one pixel of the resized image is two of the original
    wanted = [2 * (3 + ROWS[0]), 2 * (3 + ROWS[1]), 2 * (2 + COLUMNS[0]), 2 * (2 + COLUMNS[1])]
    np.testing.assert_allclose(extent(red, (60, 90)), wanted, atol=1.5)
    assert redness(inside(page, shown, 0)).max() == 0
    (_dark, light) = page.axes[1].patches
    assert (light.get_x() + 0.5, light.get_y() + 0.5, light.get_width(), light.get_height()) == (4, 6, 80, 48)


def test_no_outline_where_the_net_saw_the_whole_image() -> None:
    frame = Frame(original=(60, 90), resized=SHAPE, corner=(0, 0), size=SHAPE)
    page = figure(explanation(image=np.zeros((60, 90, 3), np.uint8), frame=frame), on_image=True)
    assert not page.axes[1].patches


def test_on_the_image_needs_one() -> None:
    with pytest.raises(ExplanationError, match="holds no image"):
        figure(explanation(), on_image=True)


@pytest.mark.parametrize("value", [0.0, np.nan, 1e-17])
def test_a_map_without_influence_is_drawn(value: float) -> None:
    page = figure(explanation(relevance=np.full((1, *SHAPE), value)), sure=True)
    assert redness(inside(page, drawn(page), 1)).max() == 0


def test_nan_is_clear() -> None:
    relevance = explanation().relevance.copy()
    relevance[:, :, 30:] = np.nan
    page = figure(explanation(relevance=relevance))
    red = redness(inside(page, drawn(page), 1)) > 60
    np.testing.assert_allclose(extent(red, SHAPE), [*ROWS, COLUMNS[0], 30], atol=0.5)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e99])
def test_what_is_infinite_or_very_large_is_drawn_on_the_image_too(value: float) -> None:
    whole = explanation(image=np.full((100, 100, 3), 128, np.uint8), frame=Frame((100, 100), SHAPE, (0, 0), SHAPE))
    for name in ("relevance", "stderr"):
        getattr(whole, name)[0, :5, :5] = value if name == "relevance" else abs(value)
    lost = np.full_like(whole.stderr, abs(value))
    changed = replace(whole, base=np.array([value]), interpolation_error=lost, unit="activation")
    for on_image in (False, True):
        assert len(drawn(figure(changed, sure=True, on_image=on_image)))
    seen = changed.on_image()[0]
    assert np.isfinite(seen[50:, 50:]).all()
    assert np.isfinite(seen[0, 0]) == np.isfinite(value)


def test_sure_leaves_clear_what_lies_within_two_standard_errors() -> None:
    stderr = np.full((1, *SHAPE), 0.34)
    stderr[..., 28:] = 0.36
    stderr[:, ROWS[0], 22:28] = np.nan
    page = figure(explanation(stderr=stderr), sure=True)
    red = redness(inside(page, drawn(page), 1)) > 60
    np.testing.assert_allclose(extent(red, SHAPE), [ROWS[0] + 1, ROWS[1], COLUMNS[0], 28], atol=0.5)
    assert "clear below two standard errors" in words(page)


def test_what_interpolation_leaves_out_counts_as_the_standard_error_does() -> None:
    left_out = np.full((1, *SHAPE), 0.24)
    left_out[..., 28:] = 0.27
    page = figure(explanation(stderr=np.full((1, *SHAPE), 0.24), interpolation_error=left_out), sure=True)
    red = redness(inside(page, drawn(page), 1)) > 60
    np.testing.assert_allclose(extent(red, SHAPE), [*ROWS, COLUMNS[0], 28], atol=0.5)


def test_sure_needs_a_standard_error() -> None:
    with pytest.raises(SettingsError, match="want at least two samples"):
        figure(explanation(stderr=np.full((1, *SHAPE), np.nan)), sure=True)


def limits(page: Figure) -> list[float]:
    """Full colour of each bar."""
    return [axes.get_ylim()[1] for axes in page.axes if axes.get_ylim()[0] == -axes.get_ylim()[1]]


def test_each_map_has_its_scale_unless_it_is_shared() -> None:
    np.testing.assert_allclose(limits(figure(explanation(3))), [0.7, 0.35, 0.7 / 3])
    np.testing.assert_allclose(limits(figure(explanation(3), scale="shared")), [0.7, 0.7, 0.7])
    np.testing.assert_allclose(limits(figure(explanation(3), targets=[2, 1], scale="shared")), [0.35, 0.35])


def test_a_number_is_the_scale_and_bars_say_where_values_lie_beyond_it() -> None:
    both = explanation(2)
    both.relevance[0, 0, 0] = -0.55
    page = figure(both, scale=0.5)
    assert limits(page) == [0.5, 0.5]
    first, second = (page.axes[axes] for axes in (2, 4))
    told = [[label.get_text() for label in axes.get_yticklabels()] for axes in (first, second)]
    assert "≥0.5" in told[0]
    assert "≤\N{MINUS SIGN}0.5" in told[0]
    assert not any("≥" in text or "≤" in text for text in told[1])  # 0.35 at most
    # an arrow at each end of the first bar, in the full colours, without a gap
    shown = drawn(page)
    tips = [artist for artist in page.artists if isinstance(artist, Polygon)]
    place = first.get_position()
    assert sorted(round(float(tip.get_xy()[0, 1]), 6) for tip in tips) == [round(place.y0, 6), round(place.y1, 6)]
    for end, colour in ((place.y1 + 0.01, (128, 0, 0)), (place.y0 - 0.01, (0, 0, 76))):
        row, column = round((1 - end) * len(shown)), round((place.x0 + place.x1) / 2 * shown.shape[1])
        np.testing.assert_allclose(shown[row, column], colour, atol=30)
    no_overlap(page)


def test_values_beyond_the_scale_have_the_full_colour() -> None:
    page = figure(explanation(), scale=0.1)
    strong = inside(page, drawn(page), 1)
    np.testing.assert_allclose(np.median(strong[redness(strong) > 60], axis=0), [128, 0, 0], atol=2)


@pytest.mark.parametrize("scale", ["all", 0.0, -1, np.nan, True])
def test_what_is_no_scale_is_refused(scale: Any) -> None:
    with pytest.raises(SettingsError, match="want 'own', 'shared', or a number above 0"):
        figure(explanation(), scale=scale)


def pair() -> tuple[Explanation, Explanation]:
    """Two explanations of one input, the second half as strong."""
    return explanation(2), explanation(relevance=explanation().relevance / 2, provenance={"net": {"name": "googlenet"}})


def test_several_explanations_stand_beside_each_other_and_one_input_once() -> None:
    page = figure(pair(), names=["cat", "dog"], title="both")
    assert len(page.axes) == 1 + 2 * 3
    np.testing.assert_allclose(limits(page), [0.7, 0.35, 0.35])
    np.testing.assert_allclose(limits(figure(pair(), scale="shared")), [0.7, 0.7, 0.7])
    told = words(page)
    for part in ("input", "cat: class 0", "cat: class 1", "dog: class 0", "cat: k = 10", "dog: googlenet, k = 10"):
        assert part in told
    assert "dog: input" not in told
    no_overlap(page)


def test_inputs_that_differ_are_drawn_each_in_its_proportions() -> None:
    wide = explanation()
    tall = explanation(
        relevance=np.ones((1, 40, 20)), stderr=np.ones((1, 40, 20)), pixels=np.zeros((1, 40, 20), np.float32)
    )
    page = figure([wide, tall], names=["wide", "tall"])
    assert len(page.axes) == 2 * 3
    for text in ("wide: input", "tall: input"):
        assert text in words(page)
    width, height = page.get_size_inches()
    for axes, shape in ((0, SHAPE), (3, (40, 20)), (4, (40, 20))):
        place = page.axes[axes].get_position()
        assert place.height * height / (place.width * width) == pytest.approx(shape[0] / shape[1])
    no_overlap(page)


def test_several_on_an_image_are_outlined_each() -> None:
    image = np.full((60, 90, 3), 128, np.uint8)
    left, right = (
        explanation(image=image, frame=Frame((60, 90), (30, 45), (3, left), SHAPE)) for left in (0, 4)
    )  # fmt: skip
    page = figure([left, right], on_image=True)
    corners = [axes.patches[0].get_x() + 0.5 for axes in page.axes if axes.patches]
    assert corners == [0, 0, 8, 8]  # of an input and a map each


def test_what_several_explanations_can_not_have_is_refused() -> None:
    bits, other = pair()
    activations = replace(other, unit="activation")
    with pytest.raises(SettingsError, match="bits and of activations have no scale in common"):
        figure([bits, activations], scale="shared")
    assert len(limits(figure([bits, activations], scale=2.0))) == 3
    with pytest.raises(SettingsError, match="1 names for 2 explanations: want one for each"):
        figure([bits, other], names=["a"])
    with pytest.raises(SettingsError, match="want at least one"):
        figure([])
    for wrong in (None, "cat.h5", [bits, "cat.h5"]):
        with pytest.raises(SettingsError, match="want what `explain` gives"):
            figure(wrong)  # type: ignore[arg-type]


def test_of_many_maps_of_several_the_first_are_drawn() -> None:
    page = figure([explanation(40), explanation(30), explanation(3)])
    assert len(limits(page)) == 64
    assert "the first 64 of 73 maps, " in words(page)


def test_the_colours_asked_for_are_those_of_map_bar_and_words() -> None:
    page = figure(explanation(), cmap="okabe")
    colours = np.asarray(page.axes[1].images[0].get_array())
    full = np.rint(255 * np.array(COLOUR_MAPS["okabe"].colours[-1]))
    np.testing.assert_array_equal(colours[ROWS[0], COLUMNS[0]], full)
    np.testing.assert_array_equal(np.asarray(page.axes[2].images[0].get_array())[0, 0], full)
    inks = {text.get_text(): text.get_color() for text in page.texts}
    assert (inks["for"], inks["against"]) == (COLOUR_MAPS["okabe"].ink(1), COLOUR_MAPS["okabe"].ink(-1))
    assert png(explanation(), cmap="okabe") != png(explanation()) != png(explanation(), scale=9.0)


def test_a_shared_scale_pales_the_weaker_map() -> None:
    page = figure(explanation(2), scale="shared")
    shown = drawn(page)
    strong, weak = (inside(page, shown, axes) for axes in (1, 3))
    # the grey below shines through where the colour is not full
    assert strong[redness(strong) > 60][:, 1].mean() < 30 < 60 < weak[redness(weak) > 60][:, 1].mean()


@pytest.mark.parametrize("maps", [1, 3, 4])
def test_there_is_one_input_and_a_map_and_a_bar_for_each_target(maps: int) -> None:
    page = figure(explanation(maps))
    assert len(page.axes) == 1 + 2 * maps
    assert len(limits(page)) == maps
    for number in range(maps):
        assert f"class {number}" in words(page)


def test_titles_name_class_value_unit_and_settings() -> None:
    told = words(figure(explanation(), title="cat.jpg"))
    for part in ("cat.jpg", "input", "class 0", "p = 0.250", "evidence in bits", "k = 10, S = 20, stride = 1"):
        assert part in told


@pytest.mark.parametrize(
    ("unit", "base", "wanted"),
    [
        ("bits", 0.99987, "p = 0.99987"),
        ("bits", 0.9999999, "p > 0.99999"),
        ("bits", 0.00012, "p = 1.2e-04"),
        ("activation", 15.3123, "prob = 15.31"),
    ],
)
def test_values_keep_the_digits_that_matter(unit: str, base: float, wanted: str) -> None:
    assert wanted in words(figure(explanation(unit=unit, base=np.array([base]))))


def test_a_name_is_no_formula() -> None:
    page = figure(explanation(targets=[Target("prob", [0], "$x_1$ and $y$", "5 $")]))
    assert redness(inside(page, drawn(page), 1)).max() > 60
    assert r"\$x_1\$ and \$y\$ rather than 5 \$" in words(page)


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (40, 13)])
def test_every_shape_is_drawn_without_overlap(shape: tuple[int, int]) -> None:
    plain = {"relevance": np.ones((2, *shape)), "stderr": np.ones((2, *shape)), "pixels": np.ones((1, *shape))}
    no_overlap(figure(explanation(2, **plain), title="a title"))


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ({"kind": "gaussian", "context": 14}, "conditional sampling, k = 10, l = 14, S = 20, stride = 1"),
        ({"kind": "marginal"}, "marginal sampling, k = 10, S = 20, stride = 1"),
        ({"kind": "grey"}, "a grey patch, k = 10"),
        ({"kind": "mine"}, "mine, k = 10"),
        ("Mine", "alexnet, k = 10"),
    ],
)
def test_the_net_and_what_drew_are_told(sampler: Any, words: str) -> None:
    page = figure(explanation(provenance={"net": {"name": "alexnet"}, "sampler": sampler}))
    told = " ".join(text.get_text() for text in page.texts).replace("\N{NO-BREAK SPACE}", " ")
    assert words in told
    assert "alexnet, " in told
    no_overlap(page)


def test_long_names_are_broken_and_overlap_nothing() -> None:
    names = ["American Staffordshire terrier, pit bull terrier", "x" * 80, "a", "soft-coated wheaten terrier", "b", "c"]
    targets = [Target("prob", [0], name, "black and gold garden spider") for name in names]
    no_overlap(figure(replace(explanation(6), targets=targets), title="a picture with a long name " * 8))


def test_targets_out_of_range_or_none_are_refused() -> None:
    with pytest.raises(SettingsError, match="target 5 is out of range: the explanation has 2"):
        figure(explanation(2), targets=[5])
    with pytest.raises(SettingsError, match="want at least one"):
        figure(explanation(2), targets=[])


def test_notebooks_get_the_first_target_as_png() -> None:
    explained = explanation(3)
    assert explained._repr_png_() == png(explained) == png(explanation(1))
    assert png(explained).startswith(b"\x89PNG\r\n")


def test_inputs_of_0_to_1_are_seen_and_a_dark_photograph_stays_dark() -> None:
    bright = explanation()
    for pixels, preprocessed, seen in (
        (bright.pixels / 255, False, bright.pixels),
        (bright.pixels / 255, True, bright.pixels / 255),
        (bright.pixels / 100, True, bright.pixels / 100),
    ):
        net = {"preprocessing": {"channels": "rgb"} if preprocessed else None}
        page = figure(replace(bright, pixels=pixels, provenance={"net": net}))
        shown, below = (axes.images[0].get_array() for axes in page.axes[:2])
        np.testing.assert_allclose(shown, seen.transpose(1, 2, 0), atol=0.51)
        # away from what speaks for the class the map is the greyed picture, whose blacks are lifted to 0.3
        np.testing.assert_allclose(below[10:], 255 * 0.3 + 0.7 * shown[10:], atol=1.01)


def test_the_explanation_is_not_changed() -> None:
    explained, same = explanation(2), explanation(2)
    figure(explained, sure=True, scale="shared")
    np.testing.assert_array_equal(explained.relevance, same.relevance)
    np.testing.assert_array_equal(explained.pixels, same.pixels)


def test_a_map_of_colours_stands_as_large_beside_the_input() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (*SHAPE, 3), np.uint8)
    bare, barred = (
        beside(explanation().pixels, colours, "fc[3]", scale=scale, unit="gradient", caption="tiny, sensitivity")
        for scale in (None, 0.5)
    )
    assert [len(one.axes) for one in (bare, barred)] == [2, 3]
    sizes = [axes.get_position().size for axes in bare.axes]
    np.testing.assert_allclose(sizes[0], sizes[1])
    np.testing.assert_array_equal(bare.axes[1].images[0].get_array(), colours)
    for word in ("input", "fc[3]", "tiny, sensitivity"):
        assert word in words(bare)
    assert "gradient" in words(barred)
    assert bare.get_size_inches()[0] < barred.get_size_inches()[0]


def test_of_many_maps_the_first_are_drawn_which_the_picture_says() -> None:
    page = figure(explanation(70))
    told = words(page)
    assert "class 63" in told
    assert "class 64" not in told
    assert "the first 64 of 70 maps, " in told


def test_a_large_image_is_made_smaller_before_it_is_drawn_and_what_memory_has_no_room_for_refused() -> None:
    """The map of 12 million pixels itself would take 600 MB, and its colours 1.9 GB."""
    rows, columns = np.ogrid[:4000, :3001]
    image = np.repeat(((rows // 800 + columns // 600) % 2 * 200).astype(np.uint8)[..., None], 3, axis=2)
    wide = Frame((4000, 3001), (400, 300), (100, 50), SHAPE)
    one = explanation(image=image, frame=wide)
    with budget.within(10**8):
        page = figure(one, on_image=True)
        with pytest.raises(ExplanationError, match=r"at all pixels of the image wants .* 100 MB are allowed"):
            one.on_image()
    seen, map_ = (axes.images[0].get_array() for axes in page.axes[:2])
    assert seen.shape == (800, 601, 3)  # by 5: by 4 it would take 121 MB
    checks = [seen[50, 50], seen[50, 150], seen[170, 150]]
    np.testing.assert_array_equal(checks, np.repeat([[0], [200], [0]], 3, axis=1))
    red = redness(np.asarray(map_, int)) > 60
    # one pixel of what the net saw is ten of the original, and of five of these one is drawn
    wanted = np.array([100 + ROWS[0], 100 + ROWS[1], 50 + COLUMNS[0], 50 + COLUMNS[1]]) * 10 / 5
    np.testing.assert_allclose(extent(red, red.shape), wanted, atol=1.5)
    with budget.within(10**7), pytest.raises(SettingsError, match=r"1 map\(s\) of 572 x 429 pixels wants .* 10 MB are"):
        figure(one, on_image=True)
    assert len(figure(explanation()).axes) > 1
