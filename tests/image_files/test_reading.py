"""What pictures are read from besides paths, and what is black and white in greys of any range."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from predicdiff.errors import ImageError, InputWarning, SettingsError
from predicdiff.images import as_array, load_image

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)
#: 12 bits of grey, and the bytes that they are by hand.
TWELVE = np.linspace(16, 4000, 54).round().reshape(6, 9)
TURNED = {0x0112: 3}  # upside down


def grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Bytes of values, one by one."""
    bytes_ = [round(255 * (min(max(float(value), low), high) - low) / (high - low)) for value in values.ravel()]
    return np.repeat(np.array(bytes_, np.uint8).reshape(*values.shape, 1), 3, axis=2)


def tiff(values: np.ndarray, path: Path, sample_format: int, photometric: int = 1) -> Path:
    """A TIFF of greys, by hand: Pillow writes none of signed 8 or 16 bits, and none of 16 in which 0 is white."""
    height, width = values.shape
    tags = {
        256: width, 257: height, 258: 8 * values.itemsize, 259: 1, 262: photometric, 273: 8 + 2 + 10 * 12 + 4, 277: 1,
        278: height, 279: values.nbytes, 339: sample_format,
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(head + values.astype(values.dtype.newbyteorder("<")).tobytes())
    try:
        Image.open(path).close()
    except UnidentifiedImageError:
        pytest.skip("this Pillow reads no TIFFs of this kind")
    return path


def deep_png(values: np.ndarray) -> io.BytesIO:
    """Colours of 16 bits as a PNG, by hand: Pillow writes none."""
    height, width, _ = values.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


# doors


def test_open_files_stay_open_where_they_were(tmp_path: Path) -> None:
    path, memory = tmp_path / "a.png", io.BytesIO()
    Image.fromarray(COLOURS).save(path)
    Image.fromarray(COLOURS).save(memory, "TIFF")
    end = memory.tell()
    with open(path, "rb") as file:
        file.seek(5)
        for _ in range(2):
            np.testing.assert_array_equal(load_image(file), COLOURS)
            np.testing.assert_array_equal(load_image(memory), COLOURS)
        assert (file.tell(), memory.tell(), memory.closed) == (5, end, False)


class Pipe(io.RawIOBase):
    """Bytes that come once."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def readall(self) -> bytes:
        return self.content

    def readable(self) -> bool:
        return True


def test_what_comes_once_is_read_once() -> None:
    memory = io.BytesIO()
    Image.fromarray(COLOURS).save(memory, "PNG")
    np.testing.assert_array_equal(load_image(io.BufferedReader(Pipe(memory.getvalue()))), COLOURS)


def test_a_pil_image_is_read_as_its_file_is_and_left_alone(tmp_path: Path) -> None:
    alpha = np.full((6, 9, 1), 128, np.uint8)
    image = Image.fromarray(np.concatenate([COLOURS, alpha], axis=2))
    exif = Image.Exif()
    exif.update(TURNED)
    image.save(tmp_path / "a.png", exif=exif)
    before = image.copy()
    np.testing.assert_array_equal(load_image(image)[::-1, ::-1], load_image(tmp_path / "a.png"))
    assert (image, image.mode) == (before, "RGBA")
    with Image.open(tmp_path / "a.png") as opened:
        np.testing.assert_array_equal(as_array(opened), load_image(tmp_path / "a.png"))


def test_arrays_are_copied() -> None:
    loaded = load_image(COLOURS)
    np.testing.assert_array_equal(loaded, COLOURS)
    assert not np.shares_memory(loaded, COLOURS)
    np.testing.assert_array_equal(load_image(COLOURS[..., 1]), np.repeat(COLOURS[..., 1:2], 3, axis=2))
    np.testing.assert_array_equal(load_image(TWELVE, intensity=(0, 4095)), grey(TWELVE, 0, 4095))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, r"the image \(NoneType\): want a path, a file opened in binary mode, a PIL image or an array"),
        (b"\x89PNG", r"the image \(bytes\): want a path"),
        (["a.png"], r"the image \(list\): want a path"),
        (io.StringIO("GIF89a"), r'open as text: open it in binary mode, "rb"\.$'),
        (io.BytesIO(b"no image"), r"the image \(BytesIO\): not an image that Pillow can read"),
        (np.zeros((6, 9, 3)), r"an array of float64 \(6, 9, 3\): want colours"),
        (np.zeros((0, 9), np.uint8), r"an array of uint8 \(0, 9\): want colours"),
        (np.array(None), r"an array of object \(\): want colours"),
    ],
)
def test_what_is_no_picture(source: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        load_image(source)


# black and white


def test_twelve_bits(tmp_path: Path) -> None:
    Image.fromarray(TWELVE.astype(np.uint16)).save(tmp_path / "a.png")
    with pytest.warns(InputWarning, match=r"a\.png: its greys go from 16 to 4000, .*=\(0, 4095\) \(--white 4095\)"):
        load_image(tmp_path / "a.png")
    np.testing.assert_array_equal(load_image(tmp_path / "a.png", intensity=(0, 4095)), grey(TWELVE, 0, 4095))


@pytest.mark.parametrize(
    ("dtype", "sample_format", "factor", "offset"),
    [("i2", 2, 1, -1000), ("i1", 2, 1 / 16, -128), ("f4", 3, 1 / 2048, -1), ("u4", 1, 2.0**20, 0)],
)
def test_greys_of_any_range(tmp_path: Path, dtype: str, sample_format: int, factor: float, offset: float) -> None:
    values = (TWELVE * factor + offset).astype(dtype)
    path = tiff(values, tmp_path / "a.tif", sample_format)
    low, high = float(values[1, 0]), float(values[4, 0])  # what lies outside is cut off
    np.testing.assert_array_equal(load_image(path, intensity=(low, high)), grey(values, low, high))
    if values.min() >= 0:
        np.testing.assert_array_equal(load_image(path), grey(values, 0, float(values.max())))
        return
    with pytest.warns(InputWarning, match=rf"--intensity {values.min():.6g},{values.max():.6g}\)"):
        load_image(path)


@pytest.mark.parametrize(("dtype", "sample_format", "white"), [("u1", 1, 255), ("u2", 1, 65535), ("f4", 3, 1)])
def test_a_tiff_in_which_0_is_white(tmp_path: Path, dtype: str, sample_format: int, white: float) -> None:
    values = (TWELVE * (white / 4095)).astype(dtype)
    path = tiff(values, tmp_path / "a.tif", sample_format, photometric=0)
    np.testing.assert_array_equal(load_image(path), 255 - grey(values, 0, white))


@pytest.mark.parametrize("intensity", [(0, 200_000), (5000, 6000), (-6000, -5000)])
def test_an_intensity_that_leaves_few_levels_is_warned_of(intensity: Any) -> None:
    with pytest.warns(InputWarning, match="its greys go from 16 to 4000, and keep few levels or none where"):
        load_image(TWELVE, intensity=intensity)


def test_floats_beyond_one_are_warned_of() -> None:
    with pytest.warns(InputWarning, match=r"0 to 200, .* 255 for white: .*\(--white 200\)"):
        load_image(np.linspace(0, 200, 12).reshape(3, 4))


def test_colours_of_sixteen_bits_that_use_twelve() -> None:
    deep = np.repeat(TWELVE[..., None], 3, axis=2)
    with pytest.warns(InputWarning, match="upper 8 are read, and those reach 15 of 255"):
        load_image(deep_png(deep))
    np.testing.assert_array_equal(load_image(deep_png(deep * 16)), deep.astype(int) // 16)
    with pytest.warns(InputWarning, match="upper 8 are read, and those reach 15 of 255"):
        load_image(deep_png(deep), intensity=(0, 4095))


def test_eight_bits_say_themselves_what_is_white() -> None:
    with pytest.warns(InputWarning, match=r"the image \(ndarray\): intensity \(--white, --intensity\) was not applied"):
        np.testing.assert_array_equal(load_image(COLOURS, intensity=(0, 200)), COLOURS)


@pytest.mark.parametrize(("intensity", "levels"), [(None, [0, 0, 128, 255]), ((-0.5, 1), [0, 0, 170, 255])])
def test_what_is_no_number_is_black_and_told_of(intensity: Any, levels: list[int]) -> None:
    values = np.array([[np.nan, np.inf], [0.5, 1.0]])
    with pytest.warns(InputWarning, match="2 of its 4 values are NaN or infinite, and were taken for black"):
        assert load_image(values, intensity=intensity)[..., 0].ravel().tolist() == levels


@pytest.mark.parametrize("intensity", ["12", 4095, (0,), (0, 1, 2), ("a", 1), (None, 1)])
def test_an_intensity_that_is_none(intensity: Any) -> None:
    with pytest.raises(SettingsError, match=r"want two numbers, of black and of white, such as \(0, 4095\)"):
        load_image(TWELVE, intensity=intensity)


@pytest.mark.parametrize("intensity", [(1, 1), (5, 0), (0, np.inf), (np.nan, 1)])
def test_an_intensity_that_is_no_range(intensity: Any) -> None:
    with pytest.raises(SettingsError, match="want finite numbers, black below white"):
        load_image(TWELVE, intensity=intensity)


def test_what_pillow_logs_of_a_damaged_file_is_not_printed(tmp_path: Path) -> None:
    """In a process of its own, where nobody has said where logs go."""
    Image.new("RGB", (2, 2)).save(tmp_path / "many.tif")
    samples = b"\x15\x01\x03\x00\x01\x00\x00\x00"
    content = (tmp_path / "many.tif").read_bytes().replace(samples + b"\x03", samples + b"\xff")
    (tmp_path / "many.tif").write_bytes(content)
    program = (
        "import sys, predicdiff.images\ntry: predicdiff.images.load_image(sys.argv[1])\nexcept Exception as e: print(e)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "many.tif")]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stderr == ""  # some releases of Pillow read the file, others say in stdout why not
