"""Maps against maps and against pictures of them, there and back through JPEG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from helpers.drawn import cut, draw, jpeg, larger, margin, smooth_map
from PIL import Image
from skimage import data

from predicdiff.comparing.compare import compare, load
from predicdiff.comparing.similarity import similarity
from predicdiff.errors import ExplanationError, ImageError, SettingsError
from predicdiff.explanation import Explanation, Target
from predicdiff.images import View

STYLES = ("plain", "hsv", "blend")
HOW = {
    "as it is": lambda picture: picture,
    "enlarged": lambda picture: larger(picture, 1.7),
    "reduced": lambda picture: larger(picture, 0.8),
    "cropped": lambda picture: cut(picture, 3, 6, 4, 1),
    "with a margin": lambda picture: margin(picture, 6, 4, 2, 9),
    "enlarged and cropped": lambda picture: cut(larger(picture, 1.7), 2, 9, 7, 3),
}


def explanation(relevance: np.ndarray, seed: int = 0, size: int = 24, name: str = "tabby") -> Explanation:
    """Maps (T, H, W) of a random image."""
    image = np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)
    view = View("short", size)
    return Explanation(
        relevance=relevance,
        stderr=np.zeros_like(relevance),
        targets=[Target("prob", [number], f"{name} {number}") for number in range(len(relevance))],
        base=np.full(len(relevance), 0.5),
        pixels=view.apply(image, (size, size)),
        unit="bits",
        provenance={"net": {"name": "tiny"}},
        image=image,
        frame=view.frame((size, size), (size, size)),
    )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("how", "quality"), list(zip(HOW.values(), [75, 95] * 3)), ids=list(HOW))
def test_a_picture_is_known_for_that_of_its_map(style: str, how: Callable, quality: int) -> None:
    relevance = smooth_map(STYLES.index(style) + quality, (112, 120))
    comparison = compare(relevance, jpeg(how(draw(style, relevance)), quality))
    assert comparison.similarity.pearson > 0.95
    assert comparison.similarity.spearman > 0.9
    assert comparison.similarity.sign_agreement > 0.9
    assert comparison.similarity.top_overlap > 0.3  # in HSV the strongest look like the strong; chance is 0.05
    assert comparison.b.shape == relevance.shape


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("how", [HOW["as it is"], HOW["enlarged and cropped"]])
def test_a_picture_of_the_opposite_map_lies_below_zero(style: str, how: Callable) -> None:
    relevance = smooth_map(11)
    comparison = compare(relevance, jpeg(how(draw(style, -relevance)), 85))
    assert comparison.similarity.pearson < -0.95
    assert comparison.similarity.sign_agreement < 0.1


@pytest.mark.parametrize("style", STYLES)
def test_maps_of_other_images_lie_far_below(style: str) -> None:
    relevance = smooth_map(12)
    others = [smooth_map(200 + seed, (80 + seed, 100)) for seed in range(2)]
    comparison = compare(relevance, jpeg(larger(draw(style, relevance), 1.3), 85), nulls=others)
    assert len(comparison.nulls) == 2
    for name in ("pearson", "spearman", "sign_agreement", "top_overlap"):
        assert comparison.rank(name) == 1
        assert comparison.percentile(name) == 100.0
        assert comparison.null(name).max() < getattr(comparison.similarity, name) - 0.2
    assert compare(others[0], jpeg(draw(style, relevance), 85), nulls=[relevance]).percentile() == 0.0


def test_nulls_are_limited_and_placed_as_the_map_is() -> None:
    relevance, other = smooth_map(15), smooth_map(16, (90, 100))
    picture = jpeg(larger(draw("hsv", relevance), 0.8), 75)
    for whole in (False, True):
        comparison = compare(relevance, picture, style="hsv", whole=whole, nulls=[other])
        in_its_place = compare(other, picture, style="hsv", whole=whole)
        assert comparison.nulls == [in_its_place.similarity]
        assert (comparison.whole, comparison.notes) == (whole, in_its_place.notes)
    np.testing.assert_array_equal(comparison.a, np.clip(relevance, -0.5, 0.5))  # its largest magnitude is 1
    assert similarity(comparison.a, comparison.b) == comparison.similarity
    assert comparison.notes == [
        "the picture shows no values above half of the largest: the maps were limited likewise."
    ]
    with pytest.raises(SettingsError, match=r"whole \(--whole\) is for a picture, and the second is a map"):
        compare(relevance, other, whole=True)


def test_a_picture_can_be_read_as_told() -> None:
    relevance = smooth_map(13)
    picture = jpeg(draw("blend", relevance), 85)
    assert compare(relevance, picture, style="overlay").style == "blend"
    told = compare(relevance, picture, style="hsv")
    assert told.style == "hsv"
    assert told.similarity.pearson > 0.8


def test_what_came_is_kept_apart() -> None:
    relevance = smooth_map(14, (40, 40))
    picture = draw("plain", relevance)
    comparison = compare(relevance, picture)
    assert comparison.picture is not None
    comparison.picture[:] = 0
    comparison.a[:] = 0
    assert picture.any()
    assert relevance.any()


def test_two_maps_have_the_figures_of_similarity() -> None:
    a, b = smooth_map(1, (20, 22)), smooth_map(2, (20, 22))
    comparison = compare(a, b, nulls=[smooth_map(3, (20, 22))], top=0.1)
    assert comparison.similarity == similarity(a, b, top=0.1)
    assert comparison.nulls == [similarity(smooth_map(3, (20, 22)), b, top=0.1)]
    assert (comparison.notes, comparison.picture, comparison.style) == ([], None, None)


def test_a_map_is_like_itself() -> None:
    a = explanation(smooth_map(1, (24, 24))[None])
    assert compare(a, a).similarity == pytest.approx((1.0, 1.0, 1.0, 1.0, 576))


def test_a_map_of_another_size_is_resized_to_the_first() -> None:
    a = np.add.outer(np.arange(24.0), np.zeros(24)) - 11
    b = np.add.outer(np.arange(48.0), np.zeros(36)) - 23
    comparison = compare(a, b)
    assert comparison.similarity.pearson == pytest.approx(1.0, abs=1e-3)
    assert comparison.notes == ["the second map was resized from 48 x 36 to the first one's 24 x 24."]
    np.testing.assert_allclose(comparison.b[2:-2, 2:-2], 2 * a[2:-2, 2:-2] - 0.5)


def test_views_of_one_image_meet_at_its_own_pixels() -> None:
    """One net saw a crop of the image, the other all of it, squeezed; both maps are of the same place in the image."""
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:60, :90]
    bump = np.exp(-((rows - 24) ** 2 + (columns - 58) ** 2) / 60.0)
    views = {"short": (View("short", 40), (32, 32)), "warp": (View("warp", 48), (48, 48))}
    explanations = {}
    for name, (view, crop) in views.items():
        seen = view.apply(bump[..., None], crop)[0].astype(np.float64)
        explained = explanation(seen[None])
        explanations[name] = replace(explained, image=image, frame=view.frame((60, 90), crop))
    result = compare(explanations["short"], explanations["warp"])
    assert result.similarity.pearson > 0.99
    tops = [np.array(np.unravel_index(one.argmax(), one.shape)) for one in (result.a, result.b)]
    assert np.abs(tops[0] - tops[1]).max() <= 1
    assert result.notes == [
        "the nets saw different parts of the image: the second map was brought to the first one's pixels."
    ]
    back = compare(explanations["warp"], explanations["short"])
    assert back.similarity.pearson > 0.99
    assert np.isnan(back.b[:, :6]).all()  # the crop did not reach so far
    squeezed = compare(explanations["short"].relevance[0], explanations["warp"].relevance[0])
    assert squeezed.similarity.pearson < 0.7


def test_a_hidden_blobs_map_is_one_of_the_whole_view() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    bump = np.exp(-((np.mgrid[:60, :60][0] - 24) ** 2 + (np.mgrid[:60, :60][1] - 36) ** 2) / 60.0)
    fine = replace(explanation(bump[None]), image=image, frame=View("warp", 60).frame((60, 60), (60, 60)))
    crop = bump[10:50, 10:50].reshape(10, 4, 10, 4).mean(axis=(1, 3))
    coarse = replace(explanation(crop[None]), image=image, frame=View("crop").frame((60, 60), (40, 40)))
    assert compare(coarse, fine).similarity.pearson > 0.98
    assert compare(fine, coarse).similarity.pearson > 0.95


def test_explanations_of_different_images_are_pointed_out() -> None:
    maps = smooth_map(1, (24, 24))[None]
    comparison = compare(explanation(maps, seed=0), explanation(maps, seed=1))
    assert comparison.notes == ["the two maps are of different images."]


def test_targets_are_chosen_and_named() -> None:
    maps = np.stack([smooth_map(seed, (24, 24)) for seed in range(3)])
    a, b = explanation(maps), explanation(maps[::-1].copy(), name="lynx")
    assert compare(a, b, target=1).similarity.pearson == pytest.approx(1.0)
    comparison = compare(a, b, target=0, other_target=2)
    assert comparison.similarity.pearson == pytest.approx(1.0)
    assert comparison.titles == ("tabby 0 (tiny)", "lynx 2 (tiny)")
    with pytest.raises(SettingsError, match="the first: target 3 is out of range: the explanation has 3"):
        compare(a, b, target=3)
    with pytest.raises(SettingsError, match="the second: target 4 is out of range"):
        compare(a, b, other_target=4)


def test_null_maps_of_the_same_image_are_left_out() -> None:
    a = explanation(smooth_map(1, (24, 24))[None])
    again = explanation(smooth_map(2, (24, 24))[None])
    other = explanation(smooth_map(3, (24, 24))[None], seed=5)
    comparison = compare(a, a, nulls=iter([a, again, other]))
    assert len(comparison.nulls) == 1
    assert comparison.notes == ["2 of the null maps left out: of the first one's image."]
    without = replace(a, image=None, frame=None)
    assert len(compare(without, a, nulls=[without, replace(other, image=None, frame=None)]).nulls) == 1
    relevance = smooth_map(4, (24, 24))
    assert len(compare(relevance, relevance, nulls=[relevance.copy(), -relevance]).nulls) == 1


def test_unknown_pixels_are_left_out() -> None:
    a, b = smooth_map(1, (24, 24)), smooth_map(1, (24, 24))
    a[:5], b[:, :4] = np.nan, np.inf
    comparison = compare(a, b)
    assert comparison.similarity.pixels == 19 * 20
    assert comparison.similarity.pearson == pytest.approx(1.0)


def test_what_is_no_map_is_refused() -> None:
    good, picture = smooth_map(0, (24, 24)), draw("plain", smooth_map(0, (24, 24)))
    with pytest.raises(ImageError, match=r"the first is an array \(24, 24, 3\) of uint8.* only be the second"):
        compare(picture, good)
    with pytest.raises(ImageError, match=r"the second is an array \(24,\) of float64"):
        compare(good, np.zeros(24))
    with pytest.raises(ImageError, match="the first, 4 x 5 pixels, holds no finite number"):
        compare(np.full((4, 5), np.nan), good)
    with pytest.raises(ImageError, match="null map 1 is an array"):
        compare(good, good, nulls=[-good, picture])
    with pytest.raises(ImageError, match="the picture has other colours"):
        compare(good, data.coffee()[::8, ::8])
    with pytest.raises(ImageError, match="of uint8, this one"):
        compare(good, picture / 255.0)
    with pytest.raises(SettingsError, match="style 'jet' is unknown"):
        compare(good, picture, style="jet")


def test_files_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    saved = explanation(smooth_map(1, (24, 24))[None])
    saved.save(tmp_path / "map.h5")
    (tmp_path / "map.h5").rename(tmp_path / "map")
    loaded = load(tmp_path / "map")
    assert isinstance(loaded, Explanation)
    np.testing.assert_array_equal(loaded.relevance, saved.relevance)
    picture = draw("plain", smooth_map(1, (24, 24)))
    Image.fromarray(picture).save(tmp_path / "panel.png")
    np.testing.assert_array_equal(load(tmp_path / "panel.png"), picture)


def test_files_that_are_neither_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.png: no such file. Give an explanation"):
        load(tmp_path / "none.png")
    with pytest.raises(ImageError, match="a folder, want the path of a file"):
        load(tmp_path)
    (tmp_path / "text.txt").write_text("no picture")
    with pytest.raises(ImageError, match="not an image that Pillow can read"):
        load(tmp_path / "text.txt")
    (tmp_path / "empty.h5").write_bytes(b"")
    with pytest.raises(ExplanationError, match=r"empty\.h5"):
        load(tmp_path / "empty.h5")
