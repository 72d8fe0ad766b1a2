"""Image files of every kind, the part that a net sees, and the way back."""

from __future__ import annotations

import io
import json
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import resize

from predicdiff.errors import ImageError, SettingsError
from predicdiff.images import Frame, View, as_array, load_image

ROWS, COLUMNS = 6, 9
ALPHA = np.linspace(0, 255, ROWS * COLUMNS).astype(np.uint8).reshape(ROWS, COLUMNS)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(grey)[..., None], 3, axis=2)


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    part = alpha[..., None] / 255.0
    return colours * part + 255.0 * (1 - part)


# modes of files


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".tga"])
def test_rgb_as_it_is(tmp_path: Path, suffix: str) -> None:
    colours = noise(ROWS, COLUMNS, 3)
    loaded = load_image(saved(Image.fromarray(colours), tmp_path / f"a{suffix}"))
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded, colours)


def test_a_path_as_text(tmp_path: Path) -> None:
    colours = noise(ROWS, COLUMNS, 3)
    path = saved(Image.fromarray(colours), tmp_path / "pinguïn 企鹅.png")
    np.testing.assert_array_equal(load_image(str(path)), colours)


def test_jpeg_nearly(tmp_path: Path) -> None:
    across, down = np.meshgrid(np.arange(0, 240, 5), np.arange(0, 160, 5))
    smooth = np.stack([across, down, np.full((32, 48), 80)], axis=-1)
    path = saved(Image.fromarray(smooth.astype(np.uint8)), tmp_path / "a.jpg", quality=98, subsampling=0)
    np.testing.assert_allclose(load_image(path), smooth, atol=4)


def test_black_and_white(tmp_path: Path) -> None:
    bits = noise(ROWS, COLUMNS) > 127
    loaded = load_image(saved(Image.fromarray(bits.astype(np.uint8) * 255).convert("1"), tmp_path / "a.png"))
    np.testing.assert_array_equal(loaded, three(bits * 255))


def test_grey(tmp_path: Path) -> None:
    grey = noise(ROWS, COLUMNS)
    np.testing.assert_array_equal(load_image(saved(Image.fromarray(grey), tmp_path / "a.png")), three(grey))


def test_grey_with_alpha_over_white(tmp_path: Path) -> None:
    grey = noise(ROWS, COLUMNS)
    path = saved(Image.merge("LA", [Image.fromarray(grey), Image.fromarray(ALPHA)]), tmp_path / "a.png")
    np.testing.assert_allclose(load_image(path), over_white(three(grey), ALPHA), atol=1)


def test_colours_with_alpha_over_white(tmp_path: Path) -> None:
    colours = noise(ROWS, COLUMNS, 3)
    path = saved(Image.fromarray(np.dstack([colours, ALPHA])), tmp_path / "a.png")
    loaded = load_image(path)
    np.testing.assert_allclose(loaded, over_white(colours, ALPHA), atol=1)
    np.testing.assert_array_equal(loaded[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(loaded[-1, -1], colours[-1, -1])


def palette_image() -> tuple:
    palette, index = noise(16, 3, seed=1), noise(ROWS, COLUMNS) % 16
    image = Image.fromarray(index)
    image.putpalette(palette.ravel().tolist())
    return image, palette, index


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_palette(tmp_path: Path, suffix: str) -> None:
    image, palette, index = palette_image()
    np.testing.assert_array_equal(load_image(saved(image, tmp_path / f"a{suffix}")), palette[index])


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_palette_with_a_transparent_colour(tmp_path: Path, suffix: str) -> None:
    image, palette, index = palette_image()
    loaded = load_image(saved(image, tmp_path / f"a{suffix}", transparency=3))
    wanted = np.where((index == 3)[..., None], 255, palette[index])
    np.testing.assert_array_equal(loaded, wanted)


def test_palette_with_an_alpha_for_each_colour(tmp_path: Path) -> None:
    image, palette, index = palette_image()
    alpha = np.arange(0, 256, 16)
    loaded = load_image(saved(image, tmp_path / "a.png", transparency=bytes(alpha.tolist())))
    np.testing.assert_allclose(loaded, over_white(palette[index], alpha[index]), atol=1)


def test_one_transparent_grey_or_colour(tmp_path: Path) -> None:
    grey = noise(ROWS, COLUMNS) // 32 * 32
    loaded = load_image(saved(Image.fromarray(grey), tmp_path / "grey.png", transparency=64))
    np.testing.assert_array_equal(loaded, three(np.where(grey == 64, 255, grey)))
    colours = noise(ROWS, COLUMNS, 3)
    colours[2:4, 3:5] = (10, 20, 30)
    loaded = load_image(saved(Image.fromarray(colours), tmp_path / "colour.png", transparency=(10, 20, 30)))
    colours[2:4, 3:5] = 255
    np.testing.assert_array_equal(loaded, colours)


def test_cmyk(tmp_path: Path) -> None:
    inks = noise(ROWS, COLUMNS, 4)
    layers = [Image.fromarray(inks[..., i]) for i in range(4)]
    loaded = load_image(saved(Image.merge("CMYK", layers), tmp_path / "a.tif"))
    light = 1 - inks / 255.0
    np.testing.assert_allclose(loaded, 255 * light[..., :3] * light[..., 3:], atol=1.5)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    grey = noise(ROWS, COLUMNS)
    grey[0, 0] = 255
    path = saved(Image.fromarray(grey.astype(np.uint16) * 257), tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(load_image(path), three(grey))


def test_eight_bits_in_a_file_of_sixteen_stay_eight(tmp_path: Path) -> None:
    grey = noise(ROWS, COLUMNS)
    path = saved(Image.fromarray(grey.astype(np.uint16)), tmp_path / "a.png")
    np.testing.assert_array_equal(load_image(path), three(grey))


def test_big_endian_sixteen_bits(tmp_path: Path) -> None:
    grey = noise(ROWS, COLUMNS)
    grey[0, 0] = 255
    body = (grey.astype(">u2") * 257).astype(">u2").tobytes()
    (tmp_path / "a.pgm").write_bytes(b"P5 %d %d 65535\n" % (COLUMNS, ROWS) + body)
    np.testing.assert_array_equal(load_image(tmp_path / "a.pgm"), three(grey))


@pytest.mark.parametrize(
    ("most", "white"), [(255, 255), (40_000, 65535), (65535, 65535), (65536, 65536), (10**9, 10**9)]
)
def test_thirty_two_bits_are_scaled_to_what_holds_them(tmp_path: Path, most: int, white: int) -> None:
    values = np.linspace(0, most, ROWS * COLUMNS).astype(np.int32).reshape(ROWS, COLUMNS)
    loaded = load_image(saved(Image.fromarray(values), tmp_path / "a.tif"))
    np.testing.assert_allclose(loaded, three(values * (255.0 / white)), atol=0.51)


@pytest.mark.parametrize(("most", "white"), [(0.0, 1), (0.5, 1), (1.0, 1), (200.0, 255), (60_000.0, 65535)])
@pytest.mark.filterwarnings("ignore:.*its greys go from:predicdiff.errors.InputWarning")
def test_floats_are_scaled_to_what_holds_them(tmp_path: Path, most: float, white: float) -> None:
    values = np.linspace(0, most, ROWS * COLUMNS).astype(np.float32).reshape(ROWS, COLUMNS)
    loaded = load_image(saved(Image.fromarray(values), tmp_path / "a.tif"))
    np.testing.assert_allclose(loaded, three(values * (255.0 / white)), atol=0.51)


# EXIF

# at which side of the scene the file's row 0 and its column 0 belong, as the standard has it
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
SCENE = noise(5, 8, 3, seed=2)


def as_stored(scene: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera held so writes into the file."""
    height, width, _ = scene.shape
    size = {"top": height, "bottom": height, "left": width, "right": width}
    row_side, column_side = SIDES[orientation]
    stored = np.empty((size[row_side], size[column_side], 3), np.uint8)
    for i, j in np.ndindex(*stored.shape[:2]):
        at = {row_side: i, column_side: j}
        r = at["top"] if "top" in at else height - 1 - at["bottom"]
        c = at["left"] if "left" in at else width - 1 - at["right"]
        stored[i, j] = scene[r, c]
    return stored


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_all_exif_orientations(tmp_path: Path, orientation: int, suffix: str) -> None:
    tag = {"exif": exif(orientation)} if suffix == ".png" else {"tiffinfo": {0x0112: orientation}}
    path = saved(Image.fromarray(as_stored(SCENE, orientation)), tmp_path / f"a{suffix}", **tag)
    np.testing.assert_array_equal(load_image(path), SCENE)


@pytest.mark.parametrize("orientation", SIDES)
def test_all_exif_orientations_of_a_jpeg(tmp_path: Path, orientation: int) -> None:
    quarters = np.repeat(np.repeat(np.array([[10, 90, 30], [170, 50, 250]], np.uint8), 16, axis=0), 16, axis=1)
    stored = Image.fromarray(as_stored(three(quarters), orientation))
    path = saved(stored, tmp_path / "a.jpg", quality=95, exif=exif(orientation))
    np.testing.assert_allclose(load_image(path), three(quarters), atol=8)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_is_none_is_ignored(tmp_path: Path, orientation: int) -> None:
    path = saved(Image.fromarray(SCENE), tmp_path / "a.png", exif=exif(orientation))
    np.testing.assert_array_equal(load_image(path), SCENE)


@pytest.mark.parametrize("cut", range(7, 26))
def test_damaged_exif_leaves_the_picture(tmp_path: Path, cut: int) -> None:
    damaged = exif(6)[:cut] + b"\xff" * 3
    path = saved(Image.fromarray(SCENE), tmp_path / "a.png", exif=damaged)
    assert sorted(load_image(path).shape) == [3, 5, 8]


# files that are none


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.png: no such file"):
        load_image(tmp_path / "nowhere.png")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a folder, want the path of a file\.$"):
        load_image(tmp_path)


@pytest.mark.parametrize("content", [b"", b"P", b"not an image at all\n" * 30, b"\0" * 1000])
def test_what_is_no_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: not an image that Pillow can read"):
        load_image(tmp_path / "a.png")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(ImageError, match="the image cannot be read"):
        load_image("a\0b.png")
    with pytest.raises(ImageError, match=r"cannot be read \(File name too long\)"):
        load_image("a" * 5000)


FORMATS = {"JPEG": {"exif": exif(6)}, "PNG": {}, "GIF": {}, "TIFF": {}, "BMP": {}, "PPM": {}, "TGA": {}, "PCX": {}}


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(24, 31, 3)).save(buffer, kind, **FORMATS[kind])
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "PPM"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_file(tmp_path: Path, kind: str, part: float) -> None:
    whole = encoded(kind)
    path = tmp_path / "cut.img"
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ImageError, match=r"cut\.img: (the image cannot be read|not an image)"):
        load_image(path)


def test_truncated_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG")[:-200])
    with pytest.raises(ImageError, match=r"truncated.*\. It may be cut short or damaged\.$"):
        load_image(tmp_path / "a.jpg")


def outcome(path: Path) -> Any:
    """The image, or the sentence that says why there is none."""
    try:
        return load_image(path)
    except ImageError as error:
        return str(error)


@pytest.mark.parametrize("kind", FORMATS)
def test_mutated_files_load_or_say_why_not(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    whole = np.frombuffer(encoded(kind), np.uint8)
    outcomes: list = []
    for _ in range(60):
        damaged = whole.copy()
        where = rng.integers(0, min(len(whole), int(rng.choice([60, 10_000]))), rng.integers(1, 6))
        damaged[where] = rng.choice([0, 255, 127, int(rng.integers(256))], len(where))
        path = tmp_path / "mutant"
        path.write_bytes(damaged[: rng.choice([len(whole), int(rng.integers(len(whole)))])].tobytes())
        outcomes.append(outcome(path))
    assert any(isinstance(loaded, str) for loaded in outcomes)
    for loaded in outcomes:
        if isinstance(loaded, str):
            assert loaded.startswith(str(path))
            assert "\n" not in loaded
        else:
            assert loaded.dtype == np.uint8
            assert loaded.ndim == 3


def test_a_large_image_is_read_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = noise(12, 12, 3)
    path = saved(Image.fromarray(colours), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.warns(Image.DecompressionBombWarning, match="exceeds limit"), Image.open(path):
        pass
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(load_image(path), colours)
    assert not heard


def test_an_enormous_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(Image.fromarray(noise(15, 15, 3)), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match=r"a\.png: .* too large to be read, 200 pixels are allowed, and it has 225\."):
        load_image(path)


def test_a_header_that_claims_to_be_enormous_is_refused(tmp_path: Path) -> None:
    header = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(header + b"\0" * 100)
    with pytest.raises(ImageError, match="the image is too large to be read"):
        load_image(tmp_path / "a.bmp")


def test_remarks_on_stray_metadata_are_kept_from_the_user(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded("JPEG").replace(exif(6), exif(6)[:-6] + b"\xff" * 6))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        load_image(path)
    assert not heard


# views


def bilinear(image: np.ndarray, size: tuple) -> np.ndarray:
    """Resize by hand: pixel centres lie at i + 1/2, the border is repeated."""
    out = np.empty((*size, image.shape[2]))
    for i, j in np.ndindex(*size):
        r = min(max((i + 0.5) * image.shape[0] / size[0] - 0.5, 0), image.shape[0] - 1)
        c = min(max((j + 0.5) * image.shape[1] / size[1] - 0.5, 0), image.shape[1] - 1)
        up, left = int(r), int(c)
        down, right = min(up + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
        upper = image[up, left] * (1 - (c - left)) + image[up, right] * (c - left)
        lower = image[down, left] * (1 - (c - left)) + image[down, right] * (c - left)
        out[i, j] = upper * (1 - (r - up)) + lower * (r - up)
    return out


def cut_centre(image: np.ndarray, size: tuple) -> np.ndarray:
    top, left = (image.shape[0] - size[0]) // 2, (image.shape[1] - size[1]) // 2
    return image[top : top + size[0], left : left + size[1]].transpose(2, 0, 1)


CASES = [
    (View("warp"), (30, 44), (16, 20), (16, 20)),
    (View("warp", 24), (30, 44), (16, 20), (24, 24)),
    (View("warp", (22, 31)), (30, 44), (16, 20), (22, 31)),
    (View("warp", 24), (7, 5), (16, 20), (24, 24)),
    (View("warp", "caffe"), (30, 44), (16, 20), (16, 20)),
    (View("short", "caffe"), (30, 44), (16, 20), (16, 23)),
    (View("short"), (30, 44), (16, 20), (16, 23)),
    (View("short", 24), (30, 44), (16, 20), (24, 35)),
    (View("short", 24), (44, 30), (16, 20), (35, 24)),
    (View("short", 24), (30, 31), (16, 29), (28, 29)),
    (View("short", (50, 22)), (30, 44), (16, 20), (22, 32)),
    (View("crop"), (30, 44), (16, 20), (30, 44)),
    (View("crop", 24), (31, 45), (16, 20), (31, 45)),
    (View("crop"), (8, 44), (16, 20), (16, 88)),
    (View("crop"), (16, 10), (16, 20), (32, 20)),
    (View("crop"), (16, 20), (16, 20), (16, 20)),
]


@pytest.mark.parametrize(("view", "original", "crop", "resized"), CASES)
def test_views_resize_and_take_the_centre(view: View, original: tuple, crop: tuple, resized: tuple) -> None:
    frame = view.frame(original, crop)
    corner = ((resized[0] - crop[0]) // 2, (resized[1] - crop[1]) // 2)
    assert frame == Frame(original=original, resized=resized, corner=corner, size=crop)
    image = noise(*original, 3)
    seen = view.apply(image, crop)
    assert seen.dtype == np.float32
    assert seen.shape == (3, *crop)
    np.testing.assert_allclose(seen, cut_centre(bilinear(image, resized), crop), atol=2e-3)


def test_the_views_of_the_paper_and_of_caffe() -> None:
    assert View("warp", 256).frame((375, 500), (227, 227)) == Frame((375, 500), (256, 256), (14, 14), (227, 227))
    assert View("short", 256).frame((375, 500), (224, 224)) == Frame((375, 500), (256, 341), (16, 58), (224, 224))
    assert View("crop").frame((375, 500), (227, 227)) == Frame((375, 500), (375, 500), (74, 136), (227, 227))
    for crop, resized in ((28, 28), (223, 223), (224, 256), (227, 256), (228, 228), (299, 299)):
        assert View("warp", "caffe").frame((375, 500), (crop, crop)).resized == (resized, resized)
        assert View("warp", "caffe").settled((crop, crop)).size in (resized, None)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("original", [(90, 70), (20, 90), (20, 15)])
def test_smoothing_is_scikit_images_and_said_explicitly(original: tuple, antialias: bool) -> None:
    image = noise(*original, 3)
    seen = View("warp", 40, antialias=antialias).apply(image, (40, 40))
    shrinks = min(original) < 40 or max(original) > 40
    wanted = resize(
        image.astype(float), (40, 40), order=1, mode="edge", preserve_range=True, anti_aliasing=antialias and shrinks
    )
    np.testing.assert_allclose(seen, wanted.transpose(2, 0, 1), atol=1e-3)


def test_smoothing_matters_when_a_fine_pattern_shrinks() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::4] = 255
    rough = View("warp", 16).apply(stripes, (16, 16))
    smooth = View("warp", 16, antialias=True).apply(stripes, (16, 16))
    assert smooth[:, :, 3:13].std() < 5
    assert abs(smooth[:, :, 3:13].mean() - 255 / 4) < 5
    assert not np.allclose(rough, smooth, atol=20)


@settings(max_examples=200)
@given(
    st.sampled_from(["warp", "short", "crop", "cover"]),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(40, 60) | st.none(),
)
def test_the_crop_always_lies_centred_inside(mode: str, original: tuple, crop: tuple, size: Any) -> None:
    frame = View(mode, size).frame(original, crop)
    assert frame.original == original
    assert frame.size == crop
    for axis in (0, 1):
        before = frame.corner[axis]
        after = frame.resized[axis] - before - crop[axis]
        assert before >= 0
        assert after - before in (0, 1)
    if mode != "warp":
        stretch = frame.resized[0] / original[0], frame.resized[1] / original[1]
        # the proportions are kept to the rounding of each side
        assert abs(stretch[0] - stretch[1]) <= 0.5 / original[0] + 0.5 / original[1] + 1e-9


@pytest.mark.parametrize("channels", [1, 4, 7])
def test_any_number_of_channels_in_its_own_values(channels: int) -> None:
    image = np.random.default_rng(0).normal(scale=1000, size=(20, 30, channels))
    seen = View("warp", 12).apply(image, (10, 12))
    assert seen.shape == (channels, 10, 12)
    np.testing.assert_allclose(seen, cut_centre(bilinear(image, (12, 12)), (10, 12)), rtol=1e-4, atol=1e-2)


def test_the_result_is_nobody_elses_array() -> None:
    image = np.zeros((10, 12, 1), np.float32)
    View("crop").apply(image, (10, 12))[...] = 1
    assert not image.any()


@pytest.mark.parametrize(
    ("view", "error", "message"),
    [
        (View("squeeze"), SettingsError, "view 'squeeze' is unknown: want one of warp, short, crop"),
        (View("warp", 15), SettingsError, r"image size \(15, 15\) is smaller than the net's input \(16, 20\)"),
        (View("warp", (30, 19)), SettingsError, r"image size \(30, 19\) is smaller than the net's input"),
        (View("short", 0), SettingsError, r"image size 0: want a whole number of pixels"),
        (View("short", -256), SettingsError, r"image size -256: want a whole number"),
        (View("warp", 25.5), SettingsError, r"image size 25\.5: want a whole number"),  # type: ignore[arg-type]
        (View("warp", (1, 2, 3)), SettingsError, r"want a whole number of pixels, or \(height, width\)"),  # type: ignore[arg-type]
        (View("warp", "256"), SettingsError, r"image size '256': want a whole number"),  # type: ignore[arg-type]
    ],
)
def test_views_that_make_no_sense(view: View, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        view.apply(noise(40, 40, 3), (16, 20))


def test_sizes_may_be_numpy_integers() -> None:
    assert View("warp", np.int64(24)).frame((30, 44), (16, 20)).resized == (24, 24)  # type: ignore[arg-type]
    assert View("warp", np.array([22, 31])).frame((30, 44), (16, 20)).resized == (22, 31)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5, 5), (5, 0, 3), (5, 5, 0), (1, 5, 5, 3)])
def test_arrays_that_are_no_images(shape: tuple) -> None:
    with pytest.raises(ImageError, match=r"an image has the shape \(height, width, colours\), this one \("):
        View("crop").apply(np.zeros(shape), (4, 4))


@pytest.mark.parametrize("mode", ["short", "crop"])
def test_an_image_as_thin_as_a_hair_is_refused_before_it_eats_all_memory(mode: str) -> None:
    with pytest.raises(ImageError, match=r"1 x 20000 pixels \(height, width\) is too thin: .* grow to 224 x 4480000"):
        View(mode, 224).apply(noise(1, 20_000, 3), (224, 224))


# the way back


@settings(max_examples=60)
@given(
    st.sampled_from(["warp", "short", "crop", "cover"]),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.integers(24, 40),
)
def test_every_pixel_goes_back_to_where_it_came_from(mode: str, original: tuple, crop: tuple, size: int) -> None:
    """Maps that hold each pixel's own row and column come back as the place that the net saw there."""
    frame = View(mode, size).frame(original, crop)
    here = np.stack(np.meshgrid(np.arange(crop[0]), np.arange(crop[1]), indexing="ij")).astype(float)
    back = frame.back(here)
    assert back.shape == (2, *original)
    for r, c in np.ndindex(*original):
        place = [
            (at + 0.5) * frame.resized[axis] / original[axis] - 0.5 - frame.corner[axis]
            for axis, at in ((0, r), (1, c))
        ]
        # a pixel whose centre lies on the very edge may go either way
        edge = min(abs(place[axis] - limit) for axis in (0, 1) for limit in (-0.5, crop[axis] - 0.5))
        seen = all(-0.5 <= place[axis] <= crop[axis] - 0.5 for axis in (0, 1))
        if edge > 1e-9:
            assert np.isfinite(back[:, r, c]).all() == seen
        if np.isfinite(back[:, r, c]).all():
            wanted = [min(max(place[axis], 0), crop[axis] - 1) for axis in (0, 1)]
            np.testing.assert_allclose(back[:, r, c], wanted, atol=1e-9)


@pytest.mark.parametrize("original", [(60, 100), (100, 60), (300, 211), (22, 27)])
@pytest.mark.parametrize("view", [View("warp"), View("warp", 48), View("short", 48), View("crop")], ids=str)
@pytest.mark.parametrize("crop", [(40, 40), (32, 44)])
def test_a_marked_rectangle_comes_back_at_its_place(original: tuple, view: View, crop: tuple) -> None:
    frame = view.frame(original, crop)
    # off the centre, and in the part that every view sees
    scale = [frame.original[axis] / frame.resized[axis] for axis in (0, 1)]
    top, bottom = (round((frame.corner[0] + crop[0] * part) * scale[0]) for part in (0.15, 0.45))
    left, right = (round((frame.corner[1] + crop[1] * part) * scale[1]) for part in (0.5, 0.9))
    image = np.zeros((*original, 3), np.uint8)
    image[top:bottom, left:right] = 255
    back = frame.back(view.apply(image, crop)[0])
    marked = np.nan_to_num(back) > 127
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    reach = max(1.0, *scale)  # a pixel of the coarser of the two
    sides = (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
    np.testing.assert_allclose(sides, (top, bottom, left, right), atol=reach)
    np.testing.assert_allclose(marked.sum(), (bottom - top) * (right - left), rtol=0.25)


def test_without_resizing_the_map_stands_in_its_crop_among_nan() -> None:
    frame = View("crop").frame((7, 10), (4, 6))
    values = noise(2, 4, 6).astype(float)
    wanted = np.full((2, 7, 10), np.nan)
    wanted[:, 1:5, 2:8] = values
    np.testing.assert_array_equal(frame.back(values), wanted)


def test_a_missing_value_does_not_spread_to_neighbours_that_need_it_not() -> None:
    values = np.ones((4, 6))
    values[2, 3] = np.nan
    same = View("crop").frame((4, 6), (4, 6)).back(values)
    np.testing.assert_array_equal(same, values)
    doubled = View("warp").frame((8, 12), (4, 6)).back(values)
    rows, columns = np.nonzero(np.isnan(doubled))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 6, 5, 8)


def test_a_map_of_another_shape_is_refused() -> None:
    frame = View("crop").frame((7, 10), (4, 6))
    with pytest.raises(ImageError, match=r"the map is \(6, 4\), the view it should come from \(4, 6\)"):
        frame.back(np.zeros((3, 6, 4)))


def test_a_frame_survives_json() -> None:
    frame = View("short", 48).frame((np.int64(60), np.int64(100)), (np.int64(40), np.int64(32)))  # type: ignore[arg-type]
    again = Frame.from_dict(json.loads(json.dumps(frame.as_dict())))
    assert again == frame
    assert again.size == (40, 32)


def test_masked_pixels_are_refused_and_a_mask_that_hides_none_is_not() -> None:
    image = np.ma.MaskedArray(np.full((3, 4, 3), 7.0))
    np.testing.assert_array_equal(as_array(image), 7.0)
    image[0, 0] = np.ma.masked
    with pytest.raises(ImageError, match="the image has masked pixels"):
        as_array(image)


@pytest.mark.parametrize(("size", "corner"), [(20, (0, 6)), (21, (0, 7)), (23, (2, 8))])
def test_pillows_filters_are_those_of_pillow_and_the_centre_is_torchvisions(size: int, corner: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 49, 3), np.uint8)
    resized = Image.fromarray(image).resize((size * 49 // 30, size), Image.BICUBIC)
    # the corner as torchvision rounds it: half of what is left, halves to the even number
    top, left = corner
    wanted = np.asarray(resized)[top : top + 20, left : left + 20].transpose(2, 0, 1)
    view = View("short", size, resampling="bicubic", centre="even")
    np.testing.assert_array_equal(view.apply(image, (20, 20)), wanted)
    # values of other types are resized as they are, not rounded, and overshoot
    grey = np.asarray(Image.fromarray(image[..., 0].astype(np.float32)).resize(resized.size, Image.BICUBIC))
    came = view.apply(image[..., :1] / 1.0, (20, 20))[0]
    np.testing.assert_array_equal(came, grey[top : top + 20, left : left + 20])


def test_unknown_filters_and_centres_are_refused() -> None:
    with pytest.raises(SettingsError, match="resampling 'cubic' is unknown: want nearest, lanczos"):
        View(resampling="cubic").frame((4, 4), (2, 2))
    with pytest.raises(SettingsError, match="centre 'odd' is unknown"):
        View(centre="odd").frame((4, 4), (2, 2))
