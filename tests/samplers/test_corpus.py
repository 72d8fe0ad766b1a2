from __future__ import annotations

import socket

import numpy as np
import pytest
from PIL import Image

from predicdiff import budget
from predicdiff.errors import ImageError, InputWarning, SamplerError, SettingsError
from predicdiff.samplers import GaussianSampler, MarginalSampler
from predicdiff.samplers.corpus import bundled, crops, default_corpus, read_folder

SHAPE = (3, 40, 52)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **settings):
        raise AssertionError("a network connection was asked for")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_the_bundled_photographs_are_those_of_scikit_image():
    data = pytest.importorskip("skimage.data")
    photographs = bundled()
    assert len(photographs) == 7
    for name in ("chelsea", "coffee", "astronaut", "rocket", "hubble_deep_field"):
        np.testing.assert_array_equal(photographs[name], getattr(data, name)())


def test_the_explained_photograph_is_left_out():
    coffee = bundled()["coffee"]
    assert set(bundled()) - set(bundled(coffee)) == {"coffee"}
    assert set(bundled()) == set(bundled(coffee[:, ::-1])) == set(bundled(coffee[1:]))
    almost = coffee.copy()
    almost[-1, -1, -1] ^= 1
    assert set(bundled()) == set(bundled(almost))


def test_the_other_eye_sees_the_same_scene():
    left = set(bundled()) - set(bundled(bundled()["motorcycle_left"]))
    assert left == {"motorcycle_left", "motorcycle_right"}


def coordinates(height, width):
    """An image whose first two channels are row and column, in parts of the whole."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([(rows + 0.5) / height, (columns + 0.5) / width, np.zeros((height, width))], axis=2)


@pytest.mark.parametrize(("height", "width"), [(120, 90), (90, 200), (60, 60)])
def test_crops_keep_proportions_and_lie_at_places_and_scales_of_their_own(height, width):
    cut = crops(coordinates(height, width), SHAPE[1:], count=8, seed=0)
    assert (cut.shape, cut.dtype) == ((8, *SHAPE), np.float32)
    rows, columns = cut[:, 0] * height, cut[:, 1] * width
    tall, wide = np.ptp(rows, axis=(1, 2)), np.ptp(columns, axis=(1, 2))
    np.testing.assert_allclose(tall / wide, 39 / 51, rtol=0.05)
    assert np.ptp(rows[0]) > 0.95 * height or np.ptp(columns[0]) > 0.95 * width
    assert len(np.unique(tall.round(3))) >= 7
    assert tall.min() >= 38
    assert len({(r.min(), c.min()) for r, c in zip(rows, columns)}) == 8
    mirrored = columns[:, 0, 0] > columns[:, 0, -1]
    assert mirrored.tolist() == [False, True] * 4
    assert (rows[:, 0, 0] < rows[:, -1, 0]).all()


def test_a_small_photograph_is_enlarged():
    assert crops(np.full((10, 12, 3), 7, np.uint8), (40, 52), count=3).shape == (3, 3, 40, 52)


def test_crops_repeat_by_seed():
    image = np.random.default_rng(0).integers(0, 256, (100, 90, 3)).astype(np.uint8)
    first = crops(image, (20, 30), seed=1)
    np.testing.assert_array_equal(crops(image, (20, 30), seed=1), first)
    assert (crops(image, (20, 30), seed=2) != first).any()
    assert (crops(image, (20, 30), seed=1, number=1) != first).any()


def test_the_default_corpus():
    images, names = default_corpus(SHAPE)
    assert images.shape == (48, *SHAPE)
    assert images.dtype == np.float32
    assert len(set(names)) == 48
    assert 0 <= images.min() < 20
    assert 235 < images.max() <= 255
    scenes = [name.rsplit(" ", 1)[0].replace("_right", "_left") for name in names]
    assert {scenes.count(scene) for scene in scenes} == {8}


def test_the_default_corpus_without_the_explained_photograph():
    images, names = default_corpus(SHAPE, bundled()["chelsea"])
    assert len(images) == len(names) == 40
    assert not any("chelsea" in name for name in names)


def test_the_default_corpus_without_a_photograph_as_a_net_sees_it():
    def seen(image):
        return image[:300:2, -300::2].transpose(2, 0, 1) / np.float32(255)

    for name in ("chelsea", "motorcycle_right"):
        image = bundled()[name]
        images, names = default_corpus(SHAPE, seen(image), view=seen)
        wanted, known = default_corpus(SHAPE, image)
        np.testing.assert_array_equal(images, wanted)
        assert names == known
        assert not any(one.startswith(name.split("_")[0]) for one in names)
    np.testing.assert_array_equal(default_corpus(SHAPE, seen(image) + 1, view=seen)[0], default_corpus(SHAPE)[0])


def test_the_default_corpus_keeps_colours_in_their_places():
    images, names = default_corpus(SHAPE)
    red, _, blue = images[[name.startswith("coffee") for name in names]].mean(axis=(0, 2, 3))
    assert red > blue + 30


def test_the_default_corpus_for_one_channel_is_its_luma():
    grey, _ = default_corpus((1, *SHAPE[1:]))
    colour, _ = default_corpus(SHAPE)
    assert grey.shape == (48, 1, *SHAPE[1:])
    np.testing.assert_allclose(
        grey[:, 0], 0.299 * colour[:, 0] + 0.587 * colour[:, 1] + 0.114 * colour[:, 2], rtol=1e-5, atol=1e-3
    )


def test_no_default_corpus_for_other_arrays():
    with pytest.raises(SamplerError, match="corpus of your own"):
        default_corpus((4, 40, 52))
    with pytest.raises(SettingsError, match=r"shape = \(40, 52\): want \(channels, height, width\)"):
        default_corpus((40, 52))
    with pytest.raises(ImageError, match="exclude is a str: want the explained image"):
        default_corpus((3, 40, 52), exclude="cat.jpg")


def write(folder, name, value, size=(6, 5)):
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(folder / name)


def view(image):
    return image[:4, :4].transpose(2, 0, 1)


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for name, value in (("b.png", 2), ("a.png", 1), ("c.bmp", 3)):
        write(tmp_path, name, value)
    (tmp_path / ".hidden").write_text("not looked at")
    (tmp_path / "folder").mkdir()
    images, names, skipped = read_folder(str(tmp_path), view)
    assert (names, skipped) == (["a.png", "b.png", "c.bmp"], [])
    assert (images.shape, images.dtype) == ((3, 3, 4, 4), np.float32)
    assert images[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_broken_files_are_named_and_counted(tmp_path):
    write(tmp_path, "good 1.png", 1)
    write(tmp_path, "good 2.png", 2)
    write(tmp_path, "cut.png", 3, (200, 200))
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:100])
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.warns(InputWarning, match=r"2 of 4 files skipped \(cut\.png: .*; notes\.txt: not an image"):
        images, names, skipped = read_folder(tmp_path, view)
    assert names == ["good 1.png", "good 2.png"]
    assert len(images) == len(skipped) == 2
    assert skipped[1].startswith("notes.txt: ")


def test_many_broken_files_make_a_short_warning(tmp_path):
    write(tmp_path, "good 1.png", 1)
    write(tmp_path, "good 2.png", 2)
    for index in range(30):
        (tmp_path / f"bad {index:02}").write_text("no image")
    with pytest.warns(InputWarning, match=r"30 of 32 files skipped .*bad 04.*; and 25 more\)"):
        _, _, skipped = read_folder(tmp_path, view)
    assert len(skipped) == 30


@pytest.mark.parametrize("good", [0, 1])
def test_too_few_images(tmp_path, good):
    (tmp_path / "bad.png").write_text("no image")
    for index in range(good):
        write(tmp_path, f"{index}.png", index)
    with pytest.raises(SamplerError, match=rf"{good} image\(s\) read, 1 file\(s\) skipped \(bad\.png: .*at least two"):
        read_folder(tmp_path, view)


def test_a_folder_of_more_images_than_memory_has_room_for(tmp_path):
    """Together they lie in a file; one alone must have room, and crops of photographs are in memory."""
    for number in range(3):
        Image.new("RGB", (50, 50), (number, 0, 0)).save(tmp_path / f"{number}.png")
    one = 2 * 3 * 50 * 50 * 4
    with budget.within(2 * one):
        images, _, _ = read_folder(tmp_path, lambda image: image.transpose(2, 0, 1))
    assert images[:, 0, 7, 7].tolist() == [0, 1, 2]
    with budget.within(one - 1), pytest.raises(SamplerError, match=r"0\.png: the image as the net sees it wants 0\.06"):
        read_folder(tmp_path, lambda image: image.transpose(2, 0, 1))
    with budget.within(10**8), pytest.raises(SamplerError, match=r"images of 2000 x 900 pixels wants .* 100 MB are"):
        default_corpus((3, 2000, 900))


def test_views_of_several_shapes(tmp_path):
    for number, side in enumerate((4, 4, 5)):
        Image.new("RGB", (side, side)).save(tmp_path / f"{number}.png")
    with pytest.raises(SamplerError, match=r"number 3 has the shape \(3, 5, 5\), those before it \(3, 4, 4\): want"):
        read_folder(tmp_path, lambda image: image.transpose(2, 0, 1))


def test_an_empty_folder(tmp_path):
    with pytest.raises(SamplerError, match=r"0 image\(s\) read, 0 file\(s\) skipped: want"):
        read_folder(tmp_path, view)


def test_no_folder(tmp_path):
    with pytest.raises(SamplerError, match="no such folder"):
        read_folder(tmp_path / "missing", view)
    write(tmp_path, "file.png", 0)
    with pytest.raises(SamplerError, match="no such folder"):
        read_folder(tmp_path / "file.png", view)


def test_a_folder_of_greys_of_twelve_bits(tmp_path):
    """One warning for all of them; with an intensity they are brightened, and files of 8 bits left as they are."""
    for number, white in enumerate((4095, 2047)):
        Image.fromarray(np.full((6, 8), white, np.uint16)).save(tmp_path / f"{number}.png")
    Image.fromarray(np.full((6, 8, 3), 7, np.uint8)).save(tmp_path / "colours.png")
    with pytest.warns(InputWarning, match=r"2 of 3 images, such as 0\.png: its greys go from 4095 to 4095"):
        read_folder(tmp_path, view)
    images, _, _ = read_folder(tmp_path, view, intensity=(0, 4095))
    np.testing.assert_array_equal(images[:, 0, 0, 0], [255, 127, 7])


def test_corpora_of_pil_images():
    arrays = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3)).astype(np.uint8)
    images = [Image.fromarray(array) for array in arrays]
    np.testing.assert_array_equal(MarginalSampler(iter(images)).images, arrays.transpose(0, 3, 1, 2))
    fitted, wanted = (GaussianSampler.fit(corpus, context=3, patches=200) for corpus in (images, list(arrays)))
    np.testing.assert_array_equal(fitted.covariance, wanted.covariance)
    photograph = Image.fromarray(bundled()["coffee"])
    assert set(bundled()) - set(bundled(photograph)) == {"coffee"}
