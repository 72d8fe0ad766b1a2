"""DICOM, the images of medicine, by pydicom: a frame of a file, with its rescaling, its window and its colours.

Units and windows are those of DICOM PS3.3: C.7.6.3 (pixels and colours), C.11.1 (modality LUT), C.11.2 (VOI LUT).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from .. import budget
from ..errors import DependencyError, ImageError
from ..extras import imported
from .bounds import counted
from .greys import Intensity, Picture, check_page, choice, of_greys

EXTRA = "dicom"
#: Where the letters DICM stand; files of a suffix may lack them.
MARK = slice(128, 132)
SUFFIXES = (".dcm", ".dicom")
#: Calls for some of a file's bytes, of which pydicom makes two for each of its elements.
MOST_READS = 10**6
#: What brings decoders for most kinds of compression.
FURTHER = 'pip install "pylibjpeg[all]"'


def is_marked(head: bytes) -> bool:
    """Whether a file that begins so is one by its mark."""
    return head[MARK] == b"DICM"


def is_named(file: Path | io.BytesIO) -> bool:
    """Whether a file's name says that it is one, in which the mark may be missing."""
    name = file if isinstance(file, Path) else getattr(file, "name", "")  # of what was read of a file already
    return Path(name).suffix.lower() in SUFFIXES


def read(file: Path | io.BytesIO, intensity: Intensity, page: int | None) -> Picture:
    """A frame of a file, by default the first.

    Greys are rescaled (to Hounsfield units, say), and an ``intensity`` is in these units. Without one the file's window
    says what is black and white; where it has none, greys of up to 8 bits are taken as they are, and of others the
    least and the largest value, which is told. MONOCHROME1 is turned round, and padding is black.

    Raises
    ------
    ImageError, DependencyError
    """
    # 3 is the first that hands out RGB
    pydicom = imported("pydicom", EXTRA, least="3")
    with counted(file, MOST_READS) as opened:
        data = pydicom.dcmread(opened, force=True)
    pixels = imported("pydicom.pixels", EXTRA)
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ImageError("a DICOM file without pixels, or none at all. Give one that holds an image.")
    count = int(data.get("NumberOfFrames") or 1)
    check_page(page, count)
    frame = 0 if page is None else page - 1
    _settle_syntax(data)
    width, height = int(data.get("Columns") or 0), int(data.get("Rows") or 0)
    # as stored, decompressed and rescaled in float64, as RGB, and what is made of them on the way
    each = 40 * int(data.get("SamplesPerPixel") or 1)
    budget.ask(width * height * each, f"an image of {width} x {height} pixels", ImageError)
    values = _stored(pixels, data, frame)
    colours = values.ndim == 3 or data.PhotometricInterpretation == "PALETTE COLOR"
    picture = _of_colours(pixels, data, values) if colours else _of_frame(pixels, data, values, frame, intensity)
    return picture._replace(choice=choice(1, count) if page is None else None)


def _settle_syntax(data: Any) -> None:
    """Name the transfer syntax of a file without a header as it was found to be."""
    if "TransferSyntaxUID" not in data.file_meta:
        uid = imported("pydicom.uid", EXTRA)
        implicit, little = data.original_encoding
        plain = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else plain


def _stored(pixels: Any, data: Any, frame: int) -> np.ndarray:
    """A frame (H, W) or (H, W, 3) as it is stored, decompressed, and YBR_FULL as RGB."""
    syntax = data.file_meta.TransferSyntaxUID
    try:
        if not pixels.get_decoder(syntax).is_available:
            raise DependencyError(
                f"its pixels are compressed as {syntax.name}, which pydicom reads with a further package: {FURTHER}."
            )
        return pixels.pixel_array(data, index=frame)
    except NotImplementedError:
        raise ImageError(f"its pixels are compressed as {syntax.name}, which pydicom does not read.") from None
    except RuntimeError as error:
        reason = (str(error) or type(error).__name__).splitlines()[-1].strip()
        raise ImageError(
            f"its pixels are compressed as {syntax.name}, and what is installed cannot read them ({reason}): they are "
            f"damaged, or want a further package: {FURTHER}."
        ) from error


def _of_colours(pixels: Any, data: Any, values: np.ndarray) -> Picture:
    """RGB, which pydicom makes of YBR_FULL; levels of more than 8 bits lose their lower ones."""
    kind, bits = str(data.PhotometricInterpretation), int(data.BitsStored)
    if kind == "PALETTE COLOR":
        values = pixels.apply_color_lut(values, data)
        bits = 8 * values.itemsize
    elif kind.startswith("YBR_PARTIAL"):
        raise ImageError(f"its colours are {kind}, which pydicom does not turn into RGB: want RGB or YBR_FULL.")
    return Picture(np.ascontiguousarray(values[..., :3] >> max(0, bits - 8)).astype(np.uint8))


def _of_frame(pixels: Any, data: Any, stored: np.ndarray, frame: int, intensity: Intensity) -> Picture:
    """Greys as they are meant to be seen, or by an ``intensity``."""
    rescaling = _item(data, frame, "PixelValueTransformationSequence")
    values, doubt = pixels.apply_modality_lut(stored, rescaling), None
    if intensity is None:
        values, intensity = _windowed(pixels, values, _item(data, frame, "FrameVOILUTSequence"))
    padding = _padding(data, stored)
    if intensity is None:
        intensity, doubt = _found(data, stored, values[~padding], plain=values is stored)
    picture = of_greys(values, intensity, turned=data.PhotometricInterpretation == "MONOCHROME1")
    picture.pixels[padding] = 0
    return picture._replace(doubt=" ".join(filter(None, (doubt, picture.doubt))) or None)


def _padding(data: Any, stored: np.ndarray) -> np.ndarray:
    """Where values fill up what is no part of the picture, by PS3.3 C.7.5.1.1.2."""
    for kind in ("", "Float", "DoubleFloat"):
        one = data.get(f"{kind}PixelPaddingValue")
        if one is not None:
            limit = data.get(f"{kind}PixelPaddingRangeLimit")
            ends = (one, one if limit is None else limit)
            padding: np.ndarray = (stored >= min(ends)) & (stored <= max(ends))
            return padding
    return np.zeros(stored.shape, bool)


def _item(data: Any, frame: int, name: str) -> Any:
    """What holds a frame's rescaling or window: in an enhanced file the frame's own or the shared group, else all."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        for group in (data.get(groups) or [])[index : index + 1]:
            if group.get(name):
                return group.get(name)[0]
    return data


def _windowed(pixels: Any, values: np.ndarray, item: Any) -> tuple[np.ndarray, Intensity]:
    """Values, and which of them are black and white by the file's first window; None where it has none."""
    if item.get("VOILUTSequence"):
        describing = item.VOILUTSequence[0].LUTDescriptor
        most = 2 ** int(describing[2]) - 1
        depth, describing[2] = describing[2], 16  # else pydicom 3.0 counts the entries of 8 bits in 8 bits too
        try:
            return pixels.apply_voi(np.rint(values).astype(np.int64), item, index=0), (0.0, float(most))
        finally:
            describing[2] = depth
    if item.get("WindowCenter") is None or item.get("WindowWidth") is None:
        return values, None
    centre, width = (float(np.ravel(item.get(name))[0]) for name in ("WindowCenter", "WindowWidth"))
    form = item.get("VOILUTFunction") or "LINEAR"
    if not (np.isfinite(centre) and (1 if form == "LINEAR" else np.nextafter(0, 1)) <= width < np.inf):
        return values, None  # narrower than the standard lets it be
    if form == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))), (0.0, 1.0)
    if form == "LINEAR":  # PS3.3 C.11.2.1.2.1: black up to c - 1/2 - (w - 1) / 2, white beyond c - 1/2 + (w - 1) / 2
        centre, width = centre - 0.5, width - 1
    # a linear window of width 1 is a threshold
    return values, (centre - width / 2, centre + width / 2) if width > 0 else (centre - 1e-6, centre + 1e-6)


def _found(data: Any, stored: np.ndarray, values: np.ndarray, *, plain: bool) -> tuple[Intensity, str | None]:
    """Black and white of a file without a window, and what is said of that; padding is not among ``values``."""
    bits = int(data.get("BitsStored") or 32)
    if plain and bits <= 8 and stored.dtype.kind == "u":
        return (0.0, float(2**bits - 1)), None
    known = values[np.isfinite(values)]
    least, most = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    doubt = (
        "it has no window (WindowCenter, WindowWidth), or none of a width that counts, so its least value, "
        f"{least:.6g}, was taken for black and its largest, {most:.6g}, for white: say others by "
        f"intensity=({least:.6g}, {most:.6g}) (--intensity {least:.6g},{most:.6g})."
    )
    return (least, most) if most > least else (least, least + 1), doubt
