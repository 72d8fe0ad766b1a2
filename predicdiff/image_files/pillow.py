"""Pictures that Pillow opens, turned as they were meant, and which of several in a file is taken."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Protocol, runtime_checkable

import numpy as np

from .. import budget
from ..errors import ImageError
from .greys import Intensity, Picture, bands, check_page, choice, of_greys

EXIF_ORIENTATION = 0x0112
#: TIFF's tag for what numbers are, and its value for whole ones without a sign.
SAMPLE_FORMAT, UNSIGNED = 339, 1
#: TIFF's tag for what greys mean, and its value for those that are the darker the larger they are.
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0


@runtime_checkable
class Paged(Protocol):
    """A PIL image whose file can hold several."""

    @property
    def n_frames(self) -> int:
        """How many there are."""


#: Pages of a TIFF that are counted.
MOST_PAGES = 10_000


def of_file(opened: Callable[[], Any], intensity: Intensity, page: int | None) -> Picture:
    """A page of a file, by default the first, or the one that the file says is; ``opened`` gives its PIL image."""
    count = page_count(opened)
    check_page(page, count)
    with opened() as image:
        if page is not None:
            image.seek(page - 1)
        chosen = choice(image.tell() + 1, count) if page is None else None
        return of_image(image, intensity)._replace(choice=chosen)


def page_count(opened: Callable[[], Any]) -> int:
    """How many pictures a file holds; what a camera puts behind its photograph (MPO) are previews and depths."""
    with opened() as image:
        if image.format == "MPO":
            return 1
        try:
            if image.format == "TIFF":
                return _counted(image)
            return image.n_frames if isinstance(image, Paged) else 1
        except Exception:  # what follows the first is damaged, and that one may be whole
            return 1


def _counted(image: Any) -> int:
    """The pages of a TIFF, one where they are too many: old Pillows count for ever where pages go round in a ring."""
    for page in range(1, MOST_PAGES):
        try:
            image.seek(page)
        except EOFError:
            return page
    return 1


def of_image(image: Any, intensity: Intensity, page: int | None = None) -> Picture:
    """Of a PIL image, which is left as it is, at its page."""
    if page is None:
        return _of_page(image, intensity)
    check_page(page, image.n_frames if isinstance(image, Paged) else 1)
    before = image.tell()
    image.seek(page - 1)
    try:
        return _of_page(image, intensity)
    finally:
        image.seek(before)


def _of_page(image: Any, intensity: Intensity) -> Picture:
    deep = halved(image)
    ask_for(image)
    image.load()
    values = greys(image)
    if values is not None:
        # which Pillow turns round in TIFFs of 8 bits alone
        picture = of_greys(values, intensity, turned=_tags(image).get(PHOTOMETRIC) == WHITE_IS_ZERO)
    else:
        picture = Picture(_rgb(image), doubt=_doubt_of_halves(image) if deep else None)
    return picture._replace(pixels=upright(picture.pixels, orientation(image)))


def ask_for(image: Any) -> None:
    """Refuse a picture for which memory has no room, by the size that its header says, before it is decoded."""
    width, height = image.size
    plain = image.mode in ("1", "L", "P")
    # Pillow's own pixels, the RGB that is made of them, and once more while it is turned; greys of a range twice more
    each = 1 + 3 + 3 if plain else 4 + 3 + 3
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        each = 4 + 4 + 4 + 3 + 3
    budget.ask(width * height * each, f"an image of {width} x {height} pixels", ImageError)


def halved(image: Any) -> bool:
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


def greys(image: Any) -> np.ndarray | None:
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


def orientation(image: Any) -> int:
    """How a camera was turned, as EXIF numbers it."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF is common, and the pixels are there
        return 1


def upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Undo a camera's turn: EXIF 2.32, tag 0x0112, says at which sides row 0 and column 0 belong."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _rgb(image: Any) -> np.ndarray:
    """As RGB (H, W, 3), some rows after the others, so that nothing but the result is made of the whole picture."""
    from PIL import Image

    width, height = image.size
    seen_through = "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa", "RGBA")
    pixels = np.empty((height, width, 3), np.uint8)
    for top, bottom in bands(height, width):
        part = image.crop((0, top, width, bottom))
        if seen_through:
            over = part.convert("RGBA")
            part = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
        pixels[top:bottom] = np.asarray(part.convert("RGB"))
    return pixels
