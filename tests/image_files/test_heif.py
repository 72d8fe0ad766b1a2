"""HEIC, which is turned as its file says, and opened without Pillow being told of it."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from predicdiff.errors import DependencyError, ImageError, InputWarning
from predicdiff.image_files.heif import is_heif
from predicdiff.images import load_image

pillow_heif = pytest.importorskip("pillow_heif")
#: Six plain colours, large enough to come out of lossy coding nearly as they went in.
SCENE = np.repeat(np.repeat(np.array([[10, 90, 30], [170, 50, 250]], np.uint8), 32, axis=0), 32, axis=1)


def heic(*images: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    made = pillow_heif.from_pillow(images[0])
    for image in images[1:]:
        made.add_from_pillow(image)
    made.save(file, quality=95, chroma=444, **options)
    return file.getvalue()


def test_a_photograph_is_turned_as_it_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # row 0 of the file is the scene's right side, column 0 its top
    stored = Image.fromarray(np.repeat(np.rot90(SCENE)[..., None], 3, axis=2))
    content = heic(stored, exif=exif.tobytes())
    assert is_heif(content)
    known = set(Image.OPEN)
    np.testing.assert_allclose(load_image(io.BytesIO(content))[..., 1], SCENE, atol=8)
    assert set(Image.OPEN) == known


def test_the_picture_that_the_file_says_is_taken() -> None:
    shots = [Image.fromarray(np.full((32, 48, 3), level, np.uint8)) for level in (40, 220)]
    content = io.BytesIO(heic(*shots, primary_index=1))
    with pytest.warns(InputWarning, match="it holds 2 pictures, and number 2 was taken"):
        np.testing.assert_allclose(load_image(content), 220, atol=4)
    np.testing.assert_allclose(load_image(content, page=1), 40, atol=4)


def test_one_that_is_cut_short() -> None:
    content = heic(Image.fromarray(SCENE))
    with pytest.raises(ImageError, match=r"the image cannot be read \(.*It may be cut short or damaged\.$"):
        load_image(io.BytesIO(content[: len(content) // 2]))


def test_without_pillow_heif_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(heic(Image.fromarray(SCENE)))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DependencyError, match=r'pillow_heif is not installed .*: pip install "predicdiff\[heif\]"\.$'):
        load_image(content)
