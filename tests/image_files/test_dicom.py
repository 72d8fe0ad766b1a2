"""DICOM: windows, rescaling, colours and frames, held against the standard's formulas by hand."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from predicdiff.errors import DependencyError, ImageError, InputWarning
from predicdiff.image_files.greys import of_greys
from predicdiff.images import load_image

pydicom = pytest.importorskip("pydicom", minversion="3")

#: 12 bits of grey in a picture that is not square.
STORED = np.linspace(0, 4095, 54).round().astype(np.uint16).reshape(6, 9)
COLOURS = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)
#: Explicit VR Little Endian, of pixels that are not compressed.
PLAIN = "1.2.840.10008.1.2.1"
HOUNSFIELD = {"RescaleSlope": 1, "RescaleIntercept": -1024}


def item(**elements: Any) -> Any:
    data = pydicom.Dataset()
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def dicom(
    values: np.ndarray, *, frames: int | None = None, syntax: str = "1.2.840.10008.1.2.1", **elements: Any
) -> bytes:
    """A file of greys (H, W) or colours (H, W, 3), or of several frames of these."""
    shape = values.shape[frames is not None :]
    bits, coloured = 8 * values.itemsize, len(shape) == 3
    data = item(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="1.2.3", Rows=shape[0], Columns=shape[1],
        SamplesPerPixel=3 if coloured else 1, PhotometricInterpretation="RGB" if coloured else "MONOCHROME2",
        BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=int(values.dtype.kind == "i"),
    )  # fmt: skip
    if coloured:
        data.PlanarConfiguration = 0
    if frames is not None:
        data.NumberOfFrames = frames
    for name, value in elements.items():
        setattr(data, name, value)
    data.PixelData = values.tobytes()
    if syntax not in (PLAIN, "1.2.840.10008.1.2"):
        data.PixelData = pydicom.encaps.encapsulate([values.tobytes()])
    data["PixelData"].VR = "OB" if bits == 8 else "OW"
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def loaded(content: bytes, **how: Any) -> np.ndarray:
    return load_image(io.BytesIO(content), **how)


def grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Bytes of values, black at ``low`` and white at ``high``."""
    part = np.clip((values.astype(float) - low) / (high - low), 0, 1)
    return np.repeat(np.rint(255 * part).astype(np.uint8)[..., None], 3, axis=2)


def by_the_standard(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, value by value, from 0 to 255."""
    seen = np.empty(values.shape)
    for place, x in np.ndenumerate(values.astype(float)):
        if x <= centre - 0.5 - (width - 1) / 2:
            seen[place] = 0
        elif x > centre - 0.5 + (width - 1) / 2:
            seen[place] = 255
        else:
            seen[place] = ((x - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return seen


def test_a_window_in_hounsfield_units_of_a_file_without_a_suffix(tmp_path: Path) -> None:
    path = tmp_path / "IM0001"
    path.write_bytes(dicom(STORED, **HOUNSFIELD, WindowCenter=[40, 600], WindowWidth=[400, 1500]))
    wanted = by_the_standard(STORED.astype(int) - 1024, 40, 400)
    np.testing.assert_allclose(load_image(path), np.repeat(wanted[..., None], 3, axis=2), atol=0.5)
    np.testing.assert_array_equal(
        load_image(path, intensity=(-1000, 2000)), grey(STORED.astype(int) - 1024, -1000, 2000)
    )


def test_other_forms_of_windows() -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 1000}
    exact = loaded(dicom(STORED, **window, VOILUTFunction="LINEAR_EXACT"))
    np.testing.assert_array_equal(exact, grey(STORED, 1500, 2500))
    sigmoid = loaded(dicom(STORED, **window, VOILUTFunction="SIGMOID"))
    curve = 255 / (1 + np.exp(-4 * (STORED.astype(float) - 2000) / 1000))
    np.testing.assert_allclose(sigmoid[..., 0], curve, atol=0.5)
    threshold = loaded(dicom(STORED, WindowCenter=2000, WindowWidth=1))
    np.testing.assert_array_equal(threshold, np.repeat(255 * (STORED > 1999.5)[..., None], 3, axis=2))
    table = item(LUTDescriptor=[4096, 0, 8], LUTData=[255 - level // 16 for level in range(4096)])
    table["LUTData"].VR = "US"
    turned = loaded(dicom(STORED, **window, VOILUTSequence=[table]))
    np.testing.assert_array_equal(turned[..., 0], 255 - STORED // 16)


def test_monochrome_1_is_turned_round() -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"}
    content = dicom(STORED, **window, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(loaded(content), 255 - grey(STORED, 1500, 2500))
    np.testing.assert_array_equal(loaded(content, intensity=(0, 4095)), 255 - grey(STORED, 0, 4095))


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_so_is_what_is_no_number(kind: str) -> None:
    values = STORED.astype(np.int16)
    values[0, :3] = -2000, -1990, -1980
    window = {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"}
    padding = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990}
    wanted = grey(values, 1500, 2500) if kind == "MONOCHROME2" else 255 - grey(values, 1500, 2500)
    wanted[0, :2] = 0
    for syntax in (PLAIN, "1.2.840.10008.1.2"):  # explicit, and implicit, which leaves open whether these have a sign
        content = dicom(values, **window, **padding, PhotometricInterpretation=kind, syntax=syntax)
        np.testing.assert_array_equal(loaded(content), wanted)
    floats = of_greys(np.where(STORED == 0, np.nan, STORED), (1500, 2500), turned=kind == "MONOCHROME1")
    assert floats.doubt == "1 of its 54 values is NaN or infinite, and was taken for black."
    assert floats.pixels[0, 0].tolist() == [0, 0, 0]
    assert floats.pixels[-1, -1, 0] == (0 if kind == "MONOCHROME1" else 255)


@pytest.mark.parametrize(("width", "form"), [(0, "LINEAR"), (-400, "LINEAR"), (0.5, "LINEAR"), (0, "LINEAR_EXACT")])
def test_a_window_without_a_width_is_none(width: float, form: str) -> None:
    with pytest.warns(InputWarning, match="no window .*, or none of a width that counts, so its least value, 0, was"):
        seen = loaded(dicom(STORED, WindowCenter=2000, WindowWidth=width, VOILUTFunction=form))
    np.testing.assert_array_equal(seen, grey(STORED, 0, 4095))


def test_without_a_window_the_range_is_taken_and_told() -> None:
    padded = STORED.astype(np.int16)
    padded[0, 0] = -2000
    with pytest.warns(InputWarning, match="value, -947, was taken for black and its largest, 3071, for white"):
        seen = loaded(dicom(padded, **HOUNSFIELD, PixelPaddingValue=-2000))
    np.testing.assert_array_equal(seen, grey(padded.astype(int) - 1024, -947, 3071))


def test_greys_of_eight_bits_are_as_they_are() -> None:
    values = COLOURS[..., 0]
    np.testing.assert_array_equal(loaded(dicom(values)), np.repeat(values[..., None], 3, axis=2))
    np.testing.assert_array_equal(loaded(dicom(values), intensity=(50, 100)), grey(values, 50, 100))


def test_colours() -> None:
    np.testing.assert_array_equal(loaded(dicom(COLOURS)), COLOURS)
    # PS3.3 C.7.6.3.1.2: full-range YCbCr, the other way round
    luma, blue, red = np.moveaxis(COLOURS.astype(float), 2, 0) - np.array([0, 128, 128])[:, None, None]
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=2)
    seen = loaded(dicom(COLOURS, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_allclose(seen, np.clip(rgb, 0, 255), atol=1)
    np.testing.assert_array_equal(loaded(dicom(COLOURS.astype(np.uint16) * 257)), COLOURS)
    with pytest.warns(InputWarning, match="intensity .* was not applied"):
        loaded(dicom(COLOURS), intensity=(0, 100))


def test_a_palette() -> None:
    index, palette = COLOURS[..., 0] % 8, COLOURS.reshape(-1, 3)[:8].astype(np.uint16) * 256
    tables = {}
    for place, colour in enumerate(("Red", "Green", "Blue")):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [8, 0, 16]
        tables[f"{colour}PaletteColorLookupTableData"] = palette[:, place].tobytes()
    seen = loaded(dicom(index, PhotometricInterpretation="PALETTE COLOR", **tables))
    np.testing.assert_array_equal(seen, (palette // 256)[index])


def test_frames_with_windows_of_their_own() -> None:
    frames = np.stack([STORED, STORED[::-1]])
    groups = [
        item(FrameVOILUTSequence=[item(WindowCenter=centre, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT")])
        for centre in (1000, 2000)
    ]
    shared = [item(PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=-5)])]
    content = dicom(
        frames, frames=2, PerFrameFunctionalGroupsSequence=groups, SharedFunctionalGroupsSequence=shared
    )  # fmt: skip
    np.testing.assert_array_equal(loaded(content, page=2), grey(2.0 * STORED[::-1] - 5, 1500, 2500))
    with pytest.warns(InputWarning, match="it holds 2 pictures, and number 1 was taken"):
        np.testing.assert_array_equal(loaded(content), grey(2.0 * STORED - 5, 500, 1500))
    with pytest.raises(ImageError, match="page 3 was asked for, and it holds 2 pictures"):
        loaded(content, page=3)


def test_a_file_without_its_mark_is_known_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "old.DCM"
    path.write_bytes(dicom(COLOURS)[132:])
    np.testing.assert_array_equal(load_image(path), COLOURS)
    Image.fromarray(COLOURS).save(path, "PNG")
    np.testing.assert_array_equal(load_image(path), COLOURS)


@pytest.mark.parametrize(
    ("syntax", "error", "words"),
    [
        ("1.2.840.10008.1.2.4.80", (DependencyError, ImageError), r"compressed as JPEG-LS Lossless.*pip install"),
        ("1.2.840.10008.1.2.4.51", ImageError, r"compressed as JPEG Extended.*damaged, or want a further package: pip"),
        ("1.2.840.10008.1.2.4.102", ImageError, r"compressed as MPEG-4 AVC.*which pydicom does not read\.$"),
    ],
)
def test_compressed_pixels_that_cannot_be_read(syntax: str, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        loaded(dicom(COLOURS[..., 0], syntax=syntax))


def test_what_holds_no_picture(tmp_path: Path) -> None:
    plain = tmp_path / "a.dcm"
    plain.write_bytes(b"no DICOM at all\n" * 30)
    with pytest.raises(ImageError, match=r"a\.dcm: "):
        load_image(plain)
    with pytest.raises(
        ImageError, match=r"less than expected \(88 vs 108 bytes\)\)\. It may be cut short or damaged\.$"
    ):
        loaded(dicom(STORED)[:-20])


def test_without_pydicom_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    content = dicom(STORED)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DependencyError, match=r'pydicom is not installed .*: pip install "predicdiff\[dicom\]"\.$'):
        loaded(content)
