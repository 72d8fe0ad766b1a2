"""Which picture of a file that holds several is taken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from predicdiff.errors import ImageError, InputWarning, SettingsError
from predicdiff.images import load_image

GREYS = (51, 204, 102)  # in the palette that an old Pillow makes a GIF with
KINDS = [("TIFF", {}), ("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})]


def pages(kind: str, **options: object) -> io.BytesIO:
    """A file of three plain pictures."""
    if kind == "WEBP" and not features.check("webp"):
        pytest.skip("this Pillow writes no WebP")
    first, *others = (Image.fromarray(np.full((4, 5, 3), grey, np.uint8)) for grey in GREYS)
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=others, **options)
    return file


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_each_page_is_there_and_the_first_is_taken_with_a_word(kind: str, options: dict) -> None:
    file = pages(kind, **options)
    for number, grey in enumerate(GREYS, 1):
        np.testing.assert_array_equal(load_image(file, page=number), np.full((4, 5, 3), grey))
    with pytest.warns(InputWarning, match=r"it holds 3 pictures, and number 1 was taken, since"):
        np.testing.assert_array_equal(load_image(file), np.full((4, 5, 3), GREYS[0]))


def test_a_page_of_sixteen_bits_takes_an_intensity(tmp_path: Path) -> None:
    first, second = (Image.fromarray(np.full((4, 5), value, np.uint16)) for value in (7, 1000))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    wanted = np.full((4, 5, 3), round(255 * 1000 / 4095))
    np.testing.assert_array_equal(load_image(tmp_path / "a.tif", page=2, intensity=(0, 4095)), wanted)


def test_a_pil_image_is_left_at_its_page() -> None:
    with Image.open(pages("TIFF")) as image:
        image.seek(1)
        assert load_image(image)[0, 0, 0] == GREYS[1]
        assert load_image(image, page=3)[0, 0, 0] == GREYS[2]
        assert image.tell() == 1


def test_the_first_is_read_though_the_list_of_the_others_is_damaged() -> None:
    first = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(first).save(file, "TIFF", save_all=True, append_images=[Image.fromarray(first[::-1])])
    cut = io.BytesIO(file.getvalue()[: file.tell() // 2])
    np.testing.assert_array_equal(load_image(cut)[..., 0], first)


def test_pages_that_are_not_there() -> None:
    with pytest.raises(ImageError, match=r"page 4 was asked for, and it holds 3 pictures: want a page from 1 to 3\."):
        load_image(pages("GIF"), page=4)
    single = Image.fromarray(np.zeros((4, 5), np.uint8))
    assert load_image(single, page=1).shape == (4, 5, 3)
    with pytest.raises(ImageError, match="page 2 was asked for, and it holds one picture alone: leave out page"):
        load_image(single, page=2)
    with pytest.raises(ImageError, match="an array has no pages: leave out page"):
        load_image(np.zeros((4, 5), np.uint8), page=1)


@pytest.mark.parametrize("page", [0, -1, 1.5, "2", True])
def test_what_is_no_page(page: object) -> None:
    with pytest.raises(SettingsError, match="want a whole number, 1 for the first picture of a file"):
        load_image(pages("TIFF"), page=page)  # type: ignore[arg-type]
