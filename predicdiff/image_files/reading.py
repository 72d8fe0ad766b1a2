"""What pictures are read from, by which reader, and why one cannot be read."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import warnings
from pathlib import Path
from typing import Any, Callable, Protocol, Union, runtime_checkable

import numpy as np

from .. import budget
from ..errors import DependencyError, ImageError
from ..files import open_regular, regular
from . import dicom, heif
from .bounds import opened_image
from .greys import Intensity, Picture, of_greys, three
from .pillow import of_file, of_image

# Pillow logs what is wrong with a file, which Python prints where nobody has said where logs go
logging.getLogger("PIL").addHandler(logging.NullHandler())

#: Bytes at the beginning of a file that tell its format.
HEAD = 132


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


def is_pil(thing: Any) -> bool:
    """Whether it is a PIL image."""
    from PIL import Image

    return isinstance(thing, Image.Image)


class Content(io.BytesIO):
    """What was read already of a file, whose name messages call it by: a path, or "standard input"."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name

    @property
    def sha256(self) -> str:
        """Of all of it, in hexadecimal digits."""
        return hashlib.sha256(self.getbuffer()).hexdigest()


def content_of(path: str | os.PathLike[str]) -> Content:
    """All that a file holds, before anybody looks at what it is; errors as of `read_picture`."""
    try:
        with open_regular(path, ImageError) as file:
            budget.ask(os.fstat(file.fileno()).st_size, f"{path}: the file itself", ImageError)
            return Content(file.read(), str(path))
    except (OSError, ValueError) as error:
        raise ImageError(f"{called(path)}: {_why(error)}") from error


def read_picture(source: Source, intensity: Intensity = None, page: int | None = None) -> Picture:
    """A picture as `images.load_image` reads it; ``intensity`` does not change one of 8 bits.

    Raises
    ------
    ImageError
        If there is none.
    DependencyError
        If what reads files of its format is not installed.
    """
    if isinstance(source, (str, os.PathLike)):
        regular(source, ImageError)
    try:
        with warnings.catch_warnings():
            # Pillow's and pydicom's remarks on size and stray metadata: the pixels are there, or an error says why not
            for kind in (UserWarning, RuntimeWarning):
                warnings.simplefilter("ignore", kind)
            return _read(source, intensity, page)
    except DependencyError as error:
        raise DependencyError(f"{called(source)}: {error}") from error
    except Exception as error:  # Pillow raises many kinds for a damaged file
        raise ImageError(f"{called(source)}: {_why(error)}") from error


def _read(source: Source, intensity: Intensity, page: int | None) -> Picture:
    if isinstance(source, np.ndarray):
        if page is not None:
            raise ImageError("an array has no pages: leave out page.")
        return _of_array(source, intensity)
    if is_pil(source):
        return of_image(source, intensity, page)
    file = _openable(source)
    head = _head(file)
    opener = _opener(head, file)
    if dicom.is_marked(head) or (dicom.is_named(file) and not _opens(opener)):
        return dicom.read(file, intensity, page)
    return of_file(opener, intensity, page)


def begins_as_image(path: Path) -> bool:
    """Whether a file, whose name has no ending that would tell, begins as an image does; errors are as good as none."""
    try:
        head = _head(path)
        return dicom.is_marked(head) or _opens(_opener(head, path))
    except Exception:  # Pillow raises many kinds for a damaged file
        return False


def _opens(opener: Callable[[], Any]) -> bool:
    from PIL import UnidentifiedImageError

    try:
        with opener():
            return True
    except UnidentifiedImageError:
        return False


def _opener(head: bytes, file: Path | io.BytesIO) -> Callable[[], Any]:
    """What opens a file as a PIL image."""
    return lambda: opened_image(file, heif.opened if heif.is_heif(head) else None)


def _head(file: Path | io.BytesIO) -> bytes:
    if isinstance(file, io.BytesIO):
        return file.getvalue()[:HEAD]
    with open_regular(file, ImageError) as opened:
        return opened.read(HEAD)


def called(source: Source) -> str:
    """What errors and warnings call a picture: its path, or its type."""
    if isinstance(source, (str, os.PathLike)):
        return str(source) or "an empty path"
    if isinstance(source, Content):
        return source.name
    return f"the image ({type(source).__name__})"


def _openable(source: Source) -> Path | io.BytesIO:
    """A path, or the content of an open file from its beginning, whose position stays where it was."""
    if isinstance(source, (str, os.PathLike)):
        if "://" in str(source):
            raise ImageError("an address, want the path of a file. Download it first.")
        return Path(source)
    if isinstance(source, Content):
        return Content(source.getvalue(), source.name)
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
    if isinstance(error, Image.DecompressionBombError):
        count, most = (re.search(rf"{word} \D*(\d+)", str(error)) for word in ("size", "limit"))
        told = f", {most[1]} pixels are allowed, and it has {count[1]}" if count and most else ""
        return f"the image is too large to be read{told}. Make it smaller."
    if isinstance(error, MemoryError):
        return "the image is too large to be read, since memory ran out. Make it smaller."
    system = error.strerror if isinstance(error, OSError) else None
    hint = "" if system else " It may be cut short or damaged."
    # what pydicom adds behind a dash is what the hint says
    reason = system or (str(error) or type(error).__name__).splitlines()[0].partition(" - ")[0].rstrip(".")
    return f"the image cannot be read ({reason}).{hint}"


def _of_array(values: np.ndarray, intensity: Intensity) -> Picture:
    if values.size and values.dtype == np.uint8 and values.ndim == 3 and values.shape[2] == 3:
        return Picture(values.copy())
    if values.size and values.dtype == np.uint8 and values.ndim == 2:
        return Picture(three(values))
    if values.size and values.dtype.kind in "iuf" and values.ndim == 2:
        return of_greys(values, intensity)
    raise ImageError(
        f"an array of {values.dtype} {values.shape}: want colours (height, width, 3) of uint8 or greys (height, width)."
    )
