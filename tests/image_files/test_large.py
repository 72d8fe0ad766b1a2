"""Large pictures: refused before they are decoded, and in as little memory as may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.peak import peak
from PIL import Image
from skimage.transform import resize

from predicdiff import budget, load_image
from predicdiff.errors import ImageError, SettingsError
from predicdiff.images import View
from predicdiff.shapes.labels import read_segments


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "L", "P"])
def test_what_memory_has_no_room_for_is_refused_by_its_header(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "large.png"
    Image.new(mode, (3000, 2000)).save(path)
    path.write_bytes(path.read_bytes()[:1000])  # of which nothing can be decoded
    with budget.within(20 * 10**6), pytest.raises(ImageError, match=r"3000 x 2000 pixels wants .* 20 MB are allowed"):
        load_image(path)


def test_segments_for_whose_numbers_memory_has_no_room_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "segments.png")
    with budget.within(10**6), pytest.raises(SettingsError, match=r"s\.png: what 300 x 200 pixels .* 1 MB are allowed"):
        read_segments(tmp_path / "segments.png")


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("size", [(17, 40), (70, 91), (33, 60)])
def test_bytes_are_resized_as_scikit_image_resizes_numbers(size: tuple[int, int], smooth: bool) -> None:
    image = np.random.default_rng(0).integers(3, 250, (53, 60, 3), np.uint8)
    wanted = resize(
        image.astype(float), size, order=1, mode="edge", preserve_range=True,
        anti_aliasing=smooth and (size[0] < 53 or size[1] < 60),
    )  # fmt: skip
    view = View("warp", size, antialias=smooth)
    np.testing.assert_array_equal(view.apply(image, size), wanted.transpose(2, 0, 1).astype(np.float32))


@pytest.mark.filterwarnings("ignore:.*1 of its 180 values is NaN:predicdiff.errors.InputWarning")
def test_rows_are_taken_in_bands_as_if_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    see_through = Image.fromarray(rng.integers(0, 256, (20, 9, 4), np.uint8))
    deep = rng.normal(100, 60, (20, 9)).astype(np.float32)
    deep[3, 4] = np.nan
    whole = load_image(see_through), load_image(deep, intensity=(0, 255))
    monkeypatch.setattr("predicdiff.image_files.greys.BAND", 30)
    for one, other in zip((load_image(see_through), load_image(deep, intensity=(0, 255))), whole):
        np.testing.assert_array_equal(one, other)


@pytest.mark.whole
def test_a_photograph_of_100_megapixels_is_seen_within_two_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGBA", (10_000, 10_000), (10, 20, 30, 40)).save(path, compress_level=1)
    work = "View('warp', 256).apply(load_image(sys.argv[1]), (224, 224))"
    imports = "from predicdiff import load_image\nfrom predicdiff.images import View\nimport PIL.Image, scipy.ndimage"
    taken, said = peak(imports, work, path)
    assert (said, taken < 2e9) == ("", True)
