"""From what holds a picture (a file, open or not, a PIL image, an array) to RGB, and greys of any range to bytes."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional, Protocol, Tuple, Union, runtime_checkable

import numpy as np

from .errors import ImageError, SettingsError

EXIF_ORIENTATION = 0x0112
#: TIFF's tag for what numbers are, and its value for whole ones without a sign.
SAMPLE_FORMAT, UNSIGNED = 339, 1
#: TIFF's tag for what greys mean, and its value for those that are the darker the larger they are.
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0

#: Fewer of the 256 levels are too few for a picture.
FEW_LEVELS = 8

#: The values of black and of white; None where a file's own range says so.
Intensity = Optional[Tuple[float, float]]


@runtime_checkable
class BinaryFile(Protocol):
    """An open file, such as ``open(path, "rb")`` or a BytesIO."""

    def read(self) -> bytes:
        """All that is left of it."""

    def seek(self, position: int) -> Any:
        """Go to a position."""

    def tell(self) -> int:
        """The position."""


#: What a picture is read from; a PIL image too, which can't be named without importing Pillow.
Source = Union[str, "os.PathLike[str]", BinaryFile, np.ndarray, Any]


class Picture(NamedTuple):
    """A picture as RGB.

    Attributes
    ----------
    pixels : (H, W, 3) uint8 array
    ranged : bool
        Whether it holds greys whose black and white the file does not say: of more than 8 bits, signed, or floats.
    doubt : str or None
        Why it may look otherwise than it was meant, as a sentence about "its" values.
    """

    pixels: np.ndarray
    ranged: bool = False
    doubt: str | None = None


def is_pil(thing: Any) -> bool:
    """Whether it is a PIL image."""
    from PIL import Image

    return isinstance(thing, Image.Image)


def check_intensity(intensity: Any) -> Intensity:
    """Black and white as floats, or None; a SettingsError if they are no two numbers, the first below the second."""
    if intensity is None:
        return None
    try:
        low, high = (float(value) for value in intensity if not isinstance(value, str))
    except (TypeError, ValueError):
        raise SettingsError(
            f"intensity = {intensity!r}: want two numbers, of black and of white, such as (0, 4095)."
        ) from None
    if not (0 < high - low < np.inf and 255.0 / (high - low) < np.inf):
        raise SettingsError(f"intensity = {intensity!r}: want finite numbers, black below white, such as (0, 4095).")
    return (low, high)


def read_picture(source: Source, intensity: Intensity = None) -> Picture:
    """A picture as `images.load_image` reads it; ``intensity`` does not change one of 8 bits.

    Raises
    ------
    ImageError
        If there is none.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Pillow's remarks on size and stray metadata: the pixels are there, or an error says why not
            for kind in (UserWarning, RuntimeWarning):
                warnings.simplefilter("ignore", kind)
            if isinstance(source, np.ndarray):
                return _of_array(source, intensity)
            if is_pil(source):
                return _of_image(source, intensity)
            with Image.open(_openable(source)) as image:
                return _of_image(image, intensity)
    except Exception as error:  # Pillow raises many kinds for a damaged file
        raise ImageError(f"{called(source)}: {_why(error)}") from error


def called(source: Source) -> str:
    """What errors and warnings call a picture: its path, or its type."""
    if isinstance(source, (str, os.PathLike)):
        return str(source) or "an empty path"
    return f"the image ({type(source).__name__})"


def _openable(source: Source) -> Path | io.BytesIO:
    """A path, or the content of an open file from its beginning, whose position stays where it was."""
    if isinstance(source, (str, os.PathLike)):
        if "://" in str(source):
            raise ImageError("an address, want the path of a file. Download it first.")
        return Path(source)
    if not isinstance(source, BinaryFile):
        raise ImageError("want a path, a file opened in binary mode, a PIL image or an array (height, width, 3).")
    try:
        position = source.tell()
        source.seek(0)
    except OSError:  # a pipe, which has no way back
        return _content(source)
    try:
        return _content(source)
    finally:
        source.seek(position)


def _content(file: BinaryFile) -> io.BytesIO:
    content = file.read()
    if not isinstance(content, bytes):
        raise ImageError('the file is open as text: open it in binary mode, "rb".')
    return io.BytesIO(content)


def _why(error: Exception) -> str:
    """Why a source gave no image, and what to do."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file. Give the path of an image (PNG, JPEG, ...)."
    if isinstance(error, UnidentifiedImageError):
        return "not an image that Pillow can read. Give a PNG, JPEG or the like."
    if isinstance(error, (Image.DecompressionBombError, MemoryError)):
        return "the image is too large to be read. Make it smaller."
    system = error.strerror if isinstance(error, OSError) else None
    hint = "" if system else " It may be cut short or damaged."
    reason = system or (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return f"the image cannot be read ({reason}).{hint}"


def _of_array(values: np.ndarray, intensity: Intensity) -> Picture:
    if values.size and values.dtype == np.uint8 and values.ndim == 3 and values.shape[2] == 3:
        return Picture(values.copy())
    if values.size and values.dtype == np.uint8 and values.ndim == 2:
        return Picture(_three(values))
    if values.size and values.dtype.kind in "iuf" and values.ndim == 2:
        return _of_greys(values, intensity)
    raise ImageError(
        f"an array of {values.dtype} {values.shape}: want colours (height, width, 3) of uint8 or greys (height, width)."
    )


def _of_image(image: Any, intensity: Intensity) -> Picture:
    """Of a PIL image, which is left as it is."""
    halved = _halved(image)
    image.load()
    greys = _greys(image)
    if greys is not None:
        picture = _of_greys(greys, intensity)
        if _tags(image).get(PHOTOMETRIC) == WHITE_IS_ZERO:  # which Pillow turns round in TIFFs of 8 bits alone
            picture = picture._replace(pixels=255 - picture.pixels)
    else:
        picture = Picture(_rgb(image), doubt=_doubt_of_halves(image) if halved else None)
    return picture._replace(pixels=_upright(picture.pixels, _orientation(image)))


def _halved(image: Any) -> bool:
    """Whether colours of 16 bits become their upper 8 when Pillow reads the file, which says so until it is read."""
    from PIL import ImageFile

    colours = image.mode in ("LA", "RGB", "RGBA") and isinstance(image, ImageFile.ImageFile)
    return colours and any(";16" in str(tile[3]) for tile in image.tile)


def _doubt_of_halves(image: Any) -> str | None:
    most = int(np.asarray(image.convert("RGB")).max(initial=0))
    if most > 127:
        return None
    return (
        f"its colours have 16 bits, of which the upper 8 are read, and those reach {most} of 255: if its white is not "
        "65535, few levels are left. Save it as colours of 8 bits, or as greys of 16."
    )


def _tags(image: Any) -> Mapping[int, Any]:
    """Those of a TIFF; none of other pictures."""
    from PIL import TiffImagePlugin

    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def _greys(image: Any) -> np.ndarray | None:
    """Greys (H, W) whose black and white the file does not say; None of other pictures."""
    values, tags = None, _tags(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
    if tags:
        # Pillow takes 32 bits without a sign for signed ones, and 8 signed bits for unsigned ones
        unsigned = tags.get(SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED
        if image.mode == "I" and unsigned:
            values = np.asarray(image).view(np.uint32)
        elif image.mode == "L" and not unsigned:
            values = np.asarray(image).view(np.int8)
    return values


def _of_greys(values: np.ndarray, intensity: Intensity) -> Picture:
    """Black and white are the intensity's, or by default what `images.load_image` says; NaN and infinity are black."""
    floats, finite, doubts = values.dtype.kind == "f", np.isfinite(values), []
    if not finite.all():
        doubts.append(f"{(~finite).sum()} of its {values.size} values are NaN or infinite, and were taken for black.")
    black = 0.0 if intensity is None else intensity[0]
    values = np.where(finite, values.astype(np.float64), black)
    least, most = float(values.min()), float(values.max())
    if intensity is None:
        most = max(most, 0.0)
        white = next((white for white in (1.0, 255.0, 65535.0)[not floats :] if most <= white), most)
        doubts += _doubts_of_taken(least, most, white, floats)
    else:
        white = intensity[1]
        doubts += _doubts_of_said(least, most, black, white)
    return Picture(_bytes(values - black, white - black), ranged=True, doubt=" ".join(doubts) or None)


def _bytes(values: np.ndarray, white: float) -> np.ndarray:
    return _three(np.clip(np.rint(values * (255.0 / white)), 0, 255).astype(np.uint8))


def _three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def _doubts_of_said(least: float, most: float, black: float, white: float) -> list[str]:
    """Why an intensity may be another file's: it leaves few of the 256 levels, though the values differ."""
    if least == most or min(most, white) - max(least, black) >= (white - black) * FEW_LEVELS / 256:
        return []
    return [
        f"its greys go from {least:.6g} to {most:.6g}, and keep few levels or none where {black:.6g} is black and "
        f"{white:.6g} white: say what black and white are in this file (intensity, --white, --intensity)."
    ]


def _doubts_of_taken(least: float, most: float, white: float, floats: bool) -> list[str]:
    """Why black may not be 0 or white not ``white``: values below zero, far below white, or floats beyond 1."""
    if least >= 0 and not (0 < most < white / 2) and not (floats and most > 1):
        return []
    if least < 0:
        black, white_found, option = least, most, f"--intensity {least:.6g},{most:.6g}"
    else:
        black, white_found = 0.0, most if floats else 2.0 ** int(most).bit_length() - 1
        option = f"--white {white_found:.6g}"
    return [
        f"its greys go from {least:.6g} to {most:.6g}, and 0 was taken for black, {white:.6g} for white: say what "
        f"black and white are, such as intensity=({black:.6g}, {white_found:.6g}) ({option})."
    ]


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF is common, and the pixels are there
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo a camera's turn: EXIF 2.32, tag 0x0112, says at which sides row 0 and column 0 belong."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _rgb(image: Any) -> np.ndarray:
    from PIL import Image

    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa", "RGBA"):
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return np.array(image.convert("RGB"))
