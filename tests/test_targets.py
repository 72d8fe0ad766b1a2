"""Which pixels and units a caller means, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from helpers.engines import needed, tiny_net
from helpers.oracle_nets import LinearNet, MapNet, photo
from PIL import Image
from skimage.transform import resize

from predicdiff.abilities import net_abilities
from predicdiff.errors import BlobError, ImageError, InputWarning, SettingsError
from predicdiff.images import View, load_image
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.settings import Settings
from predicdiff.targets import find_targets, observed, predicted, see

NET = MapNet((1, 5, 6))
BASE = NET.forward(photo((1, 5, 6))[None], ["maps", "scores", "prob"])


def seen_by(net: Any, image: Any) -> Any:
    return see(net, net_abilities(net), image)


def ask(blob: str, net: Any = NET, **choice: Any) -> list[list[int]]:
    return [target.unit for target in all_targets(blob, net, **choice)]


def all_targets(blob: str, net: Any = NET, **choice: Any) -> list[Any]:
    return find_targets(net, BASE[blob][0], blob, Settings(window=1, samples=1, stride=1, **choice))[0]


def test_the_predicted_class_is_the_default() -> None:
    values = list(BASE["prob"][0])
    assert ask("prob") == ask("scores") == [[values.index(max(values))]]


def test_top_classes_come_highest_first() -> None:
    values = list(BASE["prob"][0])
    best = [unit[0] for unit in ask("prob", top=3)]
    assert [values[i] for i in best] == sorted(values, reverse=True)[:3]


def test_equal_scores_keep_the_order_of_the_classes() -> None:
    targets, _ = find_targets(NET, np.zeros(4), "prob", Settings(window=1, samples=1, stride=1, top=4))
    assert [target.unit for target in targets] == [[0], [1], [2], [3]]


def test_a_class_in_a_map_counts_with_its_mean() -> None:
    """Fully convolutional nets end in maps: (classes, 1, 1) or larger."""
    net = MapNet((1, 5, 6))
    net.scores = "maps"
    means = [float(np.mean(one)) for one in BASE["maps"][0]]
    assert ask("maps", net) == [[means.index(max(means))]]


@pytest.mark.parametrize("units", [[2, 0], (2, 0), [(2,), [0]], np.array([2, 0])])
def test_units_of_a_vector(units: Any) -> None:
    assert ask("prob", units=units) == [[2], [0]]


def test_units_of_a_map_and_means_over_maps() -> None:
    assert ask("maps", units=[(2, 1, 3), (0, 0, 0)]) == [[2, 1, 3], [0, 0, 0]]
    assert ask("maps", channels=[2, 1]) == [[2], [1]]


def test_names_are_labels_where_there_are_as_many_as_classes() -> None:
    net = MapNet((1, 5, 6))
    net.labels = ["cat", "dog", "cow", "hen"]
    pair = all_targets("prob", net, units=[3], against=1)[0]
    assert (pair.name, pair.against, pair.title) == ("hen", "dog", "hen rather than dog")
    assert all_targets("maps", net, units=[(2, 1, 3)])[0].name == "maps[2, 1, 3]"
    net.labels = ["cat", "dog"]
    assert all_targets("prob", net, units=[3])[0].name == "prob[3]"


@pytest.mark.parametrize(
    ("blob", "choice", "error", "match"),
    [
        ("prob", {"units": [0], "top": 2}, SettingsError, "given together: want one of them"),
        ("maps", {"units": [(0, 0, 0)], "channels": [1]}, SettingsError, "given together: want one of them"),
        ("maps", {"channels": [1], "top": 1}, SettingsError, "given together: want one of them"),
        ("prob", {"channels": [1]}, SettingsError, "'prob' is a vector .* give units instead"),
        ("maps", {}, SettingsError, "'maps' holds no classes: say which units or channels .*--unit"),
        ("maps", {"top": 2}, SettingsError, "'maps' holds no classes"),
        ("prob", {"top": 0}, SettingsError, "top = 0 is out of range: want 1 to 4"),
        ("prob", {"top": 5}, SettingsError, "top = 5 is out of range: want 1 to 4"),
        ("prob", {"units": []}, SettingsError, "no unit to explain"),
        ("maps", {"channels": []}, SettingsError, "no unit to explain"),
        ("prob", {"units": 2}, SettingsError, r"units = 2: want a list of them, such as \[2\]"),
        ("maps", {"channels": 2}, SettingsError, r"channels = 2: want a list of them, such as \[2\]"),
        ("prob", {"units": [4]}, BlobError, r"unit 4 is out of range: blob 'prob' has the shape \(4,\)"),
        ("prob", {"units": [-1]}, BlobError, "unit -1 is out of range"),
        ("prob", {"units": [(1, 0)]}, BlobError, r"unit \(1, 0\) is out of range"),
        ("maps", {"units": [(0, 3, 0)]}, BlobError, "out of range"),
        ("maps", {"channels": [3]}, BlobError, "unit 3 is out of range"),
        ("prob", {"units": [None]}, BlobError, "want an index"),
        ("prob", {"units": [1], "against": 4}, BlobError, "unit 4 is out of range"),
        ("prob", {"units": [0, 1], "against": 1}, SettingsError, "class 1 was to be held against itself"),
        ("prob", {"units": [0, 1], "against": (1,)}, SettingsError, "held against itself"),
    ],
)
def test_what_is_refused(blob: str, choice: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        ask(blob, **choice)


def test_an_unknown_blob_is_refused_with_near_names() -> None:
    net = LinearNet(np.zeros((2, 1, 3, 3)))
    with pytest.raises(BlobError, match=r"no blob 'score'\. Near names: scores"):
        find_targets(net, np.zeros(2), "score", Settings(window=1, samples=1, stride=1))


SHAPE = (3, 7, 9)
PLAIN = LinearNet(np.zeros((2, *SHAPE)))


class WithPreprocessing(LinearNet):
    """A net that takes its view of an image as ours do."""

    preprocessing = Preprocessing(View("warp"))

    def view(self, image: np.ndarray) -> np.ndarray:
        return self.preprocessing.pixels(image, self.input_shape)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(bad: float) -> None:
    image = photo(SHAPE)
    image[1, 2, 3] = bad
    with pytest.raises(ImageError, match="NaN, infinity"):
        seen_by(PLAIN, image)
    with pytest.raises(ImageError, match="NaN, infinity"):
        seen_by(WithPreprocessing(np.zeros((2, *SHAPE))), np.full((5, 5, 3), bad))


@pytest.mark.parametrize("image", [np.full(SHAPE, "x"), np.full(SHAPE, None), np.zeros(SHAPE, complex)])
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match="what is no number"):
        seen_by(PLAIN, image)


@pytest.mark.parametrize("shape", [(3, 9, 7), (7, 9, 3), (1, 7, 9), (7, 9), (1, 3, 7, 9)])
def test_an_image_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"want pixels \(3, 7, 9\) as net.view gives them"):
        seen_by(PLAIN, np.zeros(shape))


def test_an_image_knows_the_way_back() -> None:
    net = WithPreprocessing(np.ones((2, *SHAPE)))
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    before = image.copy()
    pixels, kept, frame = seen_by(net, image)
    image[:] = 0
    assert frame == View("warp").frame((20, 30), (7, 9))
    np.testing.assert_array_equal(pixels, net.view(before))
    np.testing.assert_array_equal(kept, before)


def test_an_image_of_floats_is_seen_but_not_kept() -> None:
    net = WithPreprocessing(np.ones((2, *SHAPE)))
    pixels, kept, frame = seen_by(net, np.full((20, 30, 3), 7.5))
    np.testing.assert_allclose(pixels, 7.5, rtol=1e-5)
    assert kept is None
    assert frame is not None


def test_pixels_are_copied() -> None:
    image = photo(SHAPE)
    pixels, kept, frame = seen_by(PLAIN, image)
    np.testing.assert_array_equal(pixels, image)
    assert pixels.dtype == np.float32
    assert not np.shares_memory(image, pixels)
    assert (kept, frame) == (None, None)


def test_what_is_looked_at_where_nothing_is_said() -> None:
    net, image = MapNet((2, 6, 7), seed=4), photo((2, 6, 7), 5)
    best = int(net.forward(image[None], ["prob"])["prob"].argmax())
    assert (observed(net), predicted(net, image, "prob")) == ("prob", (best,))
    with pytest.raises(BlobError, match="no blob 'fc9'"):
        predicted(net, image, "fc9")
    net.output = None
    assert observed(net) == "scores"
    net.scores = None
    with pytest.raises(SettingsError, match="names neither probabilities nor scores: load the net with what"):
        observed(net)


@pytest.mark.parametrize("net", ["alexnet", None, 3])
def test_what_is_no_net_is_said(net: Any) -> None:
    with pytest.raises(SettingsError, match=r"the net is a .*: want what `load_net` gives"):
        seen_by(net, photo((1, 5, 6)))


class Stubborn:
    def __array__(self, *_given: Any, **_named: Any) -> Any:
        raise RuntimeError("it requires grad")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("cat.jpg", r"'cat\.jpg': want an array\. `load_image` reads a file"),
        (None, r"the image is a NoneType: want an array of numbers or a PIL image"),
        (io.BytesIO(), r"the image is a BytesIO: want .*`load_image` reads files"),
        (Stubborn(), r"a Stubborn, and no array is made of it \(it requires grad\)"),
        (np.zeros((0, 0, 3)), "no pixels"),
        (np.zeros((4, 4, 3)), "a net that was loaded with preprocessing= takes images of any size"),
    ],
)
def test_what_is_no_image_is_said(image: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        seen_by(NET, image)


def test_values_that_are_no_pixels_are_told_as_pixels_and_as_an_image() -> None:
    net = WithPreprocessing(np.ones((2, *SHAPE)))
    pixels, image = photo(SHAPE), np.random.default_rng(0).integers(0, 256, (20, 30, 3))
    for fine in (pixels, image.astype(np.uint8), image, np.zeros(SHAPE)):
        seen_by(net, fine)
    for beyond in (-pixels, 257 * pixels, image.astype(np.uint16) * 257, image.astype(np.int16) * 8 - 1000):
        with pytest.raises(ImageError, match=r"the image's values go from .*, but pixels are 0 to 255.*divide by 257"):
            seen_by(net, beyond)
        if beyond.shape == SHAPE:
            seen_by(PLAIN, beyond)  # without preprocessing they are what the user says
    for fractions in (pixels / 255, image / 255):
        with pytest.warns(InputWarning, match="but pixels are 0 to 255"):
            seen_by(net, fractions)


def test_top_is_a_whole_number() -> None:
    with pytest.raises(SettingsError, match=r"top = 1\.5: want a whole number"):
        ask("prob", top=1.5)


GREY = np.arange(20 * 30).reshape(20, 30).astype(np.uint8)


@pytest.mark.parametrize("image", [GREY, GREY[..., None], Image.fromarray(GREY)], ids=["(H, W)", "(H, W, 1)", "PIL"])
def test_a_grey_image_serves_a_net_of_one_channel(image: Any) -> None:
    net = WithPreprocessing(np.ones((2, 1, 7, 9)))
    pixels, kept, frame = seen_by(net, image)
    by_hand = resize(GREY.astype(float), (7, 9), order=1, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(pixels, by_hand[None], rtol=1e-5)
    np.testing.assert_array_equal(kept, np.stack([GREY] * 3, axis=2))
    assert frame == View("warp").frame((20, 30), (7, 9))


def test_grey_pixels_serve_a_net_of_one_channel_as_they_are() -> None:
    grey = photo((1, 5, 6))
    for image in (grey, grey[0], grey[0, :, :, None]):
        pixels, kept, frame = seen_by(NET, image)
        np.testing.assert_array_equal(pixels, grey)
        assert (kept, frame) == (None, None)
    with pytest.raises(ImageError, match=r"has the shape \(6, 5\): want pixels \(1, 5, 6\)"):
        seen_by(NET, grey[0].T)


def test_a_pil_image_is_taken_as_its_file_would_be() -> None:
    net = WithPreprocessing(np.ones((2, *SHAPE)))
    rgba = np.random.default_rng(0).integers(0, 256, (20, 30, 4)).astype(np.uint8)
    image = Image.fromarray(rgba)
    pixels, kept, _ = seen_by(net, image)
    np.testing.assert_array_equal(kept, load_image(image))
    np.testing.assert_array_equal(pixels, net.view(kept))
    np.testing.assert_array_equal(pixels, net.preprocessing.pixels(image, SHAPE))


@needed
def test_a_net_sees_a_pil_image_of_16_bits_as_its_file_too() -> None:
    net = tiny_net(device="cpu", preprocessing=Preprocessing())
    image = Image.fromarray(GREY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(net.view(image), net.view(load_image(image)))


def test_classes_are_found_by_their_names() -> None:
    net = MapNet((1, 5, 6))
    net.labels = ["tabby, tabby cat", "Egyptian cat", "cup", "dog"]
    names = (name for name in ("CUP", "tabby"))
    targets, against = find_targets(
        net, BASE["prob"][0], "prob", Settings(1, 1, 1, units=names, against="egyptian cat")
    )
    assert [(target.unit, target.name, target.against) for target in targets] == [
        ([2], "cup", "Egyptian cat"),
        ([0], "tabby, tabby cat", "Egyptian cat"),
    ]
    assert against == (1,)
    assert ask("scores", net, units=["cup"]) == [[2]]
    with pytest.raises(SettingsError, match=r"unit 'cup': no names are known of the units of blob 'maps'"):
        ask("maps", net, units=["cup"])
    with pytest.raises(SettingsError, match=r"units = 'cup': want a list of them, such as \['cup'\]"):
        ask("prob", net, units="cup")
