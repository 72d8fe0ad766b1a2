"""Pictures whose values are numbers of something: read as they are stored, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import budget
from ..errors import ImageError
from ..files import regular
from .bounds import opened_image
from .pillow import ask_for, greys, halved, orientation, page_count, upright

#: Formats that change no value, and what a TIFF of them may be packed with.
FORMATS = ("PNG", "GIF", "BMP", "TIFF")
PACKED = (
    "raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "tiff_ccitt", "group3", "group4", "lzma",
    "zstd",
)  # fmt: skip
GREYS = ("1", "L", "P")
COLOURS = ("RGB", "RGBA", "LA", "PA", *GREYS)
#: Bytes that are made of a grey at most, by who reads it too: whole numbers of 64 bits, and these in order. Of a colour
#: it is twice as many.
MADE = 45


def read_exact(path: Path) -> tuple[np.ndarray, int]:
    """Whole numbers (H, W) of greys or of places in a palette; else colours (H, W, 4), red to opacity, of 8 bits.

    They are those of a file's first picture; beside them stands how many it holds. Pillow's own errors are left to the
    caller.

    Raises
    ------
    ImageError
        If the file's format, its compression or how its values are held could change some.
    """
    regular(path, ImageError)
    count = page_count(lambda: opened_image(path))
    with opened_image(path) as image:
        packed = image.info.get("compression", "raw")
        if image.format not in FORMATS or (image.format == "TIFF" and packed not in PACKED):
            raise ImageError(f"{packed if image.format == 'TIFF' else image.format} may change colours")
        deep = halved(image)  # which is known only until the file is read
        ask_for(image)
        width, height = image.size
        each = MADE * (1 if image.mode in GREYS else 2)
        budget.ask(width * height * each, f"what {width} x {height} pixels are numbers of")
        image.load()
        values, seen_through = greys(image), "transparency" in image.info
        if values is None and image.mode in GREYS and not seen_through:
            values = np.asarray(image)
        elif values is None and image.mode in COLOURS and not deep:
            values = np.asarray(image.convert("RGBA"))
        elif values is None or values.dtype.kind not in "iu" or seen_through:
            raise ImageError(f"its values, {image.mode}{' of 16 bits' * deep}, are not read without loss")
        return upright(values.astype(np.int64), orientation(image)), count
