"""Image files that would keep their readers at work for minutes: refused before that, and before any is decoded.

Readers take their time over what surrounds the pixels: Pillow and pydicom look at each piece of it in Python, and a
JPEG goes over all of its pixels for each scan, of which 10 bytes are enough.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, Literal, Union

import numpy as np

from ..errors import ImageError
from ..files import open_regular

#: Calls of a reader for some of a file's bytes, half a microsecond and more each; a photograph takes some thousand.
MOST_READS = 5 * 10**6
#: Of a JPEG: scans (progressive ones have about 10), segments, and bytes of these.
MOST_SCANS, MOST_SEGMENTS, MOST_METADATA = 50, 10_000, 32 * 2**20
#: Of a TIFF: strips and tiles of all its pages, for each of which Pillow makes records of its own.
MOST_STRIPS = 500_000
#: And pages that are counted.
MOST_PAGES = 10_000

SMALLER = "Save it anew as a PNG or JPEG."
#: How PostScript begins, by itself and with a preview.
POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")
JPEG = b"\xff\xd8\xff"
#: What stands in front of a segment of JPEG: no zero, which belongs to pixels, and no marker that has no length.
MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
START_OF_SCAN, END = 0xDA, 0xD9
STRIPS, TILES = 273, 324

#: Where an image lies: a path, or the content of an open file.
File = Union[Path, io.BytesIO]
Order = Literal["little", "big"]


class _Counted(io.BufferedIOBase):
    """What is read in so many pieces, and no more."""

    left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._count()
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._count()
        return super().readline(size)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ImageError(f"the file is in more pieces than are read of any. {SMALLER}")


class _CountedFile(_Counted, io.BufferedReader):
    """A file so read."""


class _CountedBytes(_Counted, io.BytesIO):
    """Bytes so read."""


@contextmanager
def counted(file: File, most: int = MOST_READS) -> Iterator[Any]:
    """A file from its beginning, which may be read ``most`` times; an ImageError then."""
    opened: _CountedFile | _CountedBytes
    opened = _CountedBytes(file.getvalue()) if isinstance(file, io.BytesIO) else _CountedFile(_raw(file))
    with opened:
        opened.left = most
        yield opened


def _raw(path: Path) -> io.RawIOBase:
    return open_regular(path, ImageError).detach()


@contextmanager
def opened_image(file: File, reader: Callable[[Any], Any] | None = None) -> Iterator[Any]:
    """A file as a PIL image, which Pillow opens or another ``reader``.

    Raises
    ------
    ImageError
        If it is PostScript, which is a program, or would take longer than any photograph; beside Pillow's own errors.
    """
    from PIL import Image

    with counted(file) as opened:
        _check(opened)
        opened.seek(0)
        with (reader or Image.open)(opened) as image:
            yield image


def _check(file: Any) -> None:
    head = file.read(4)
    if head in POSTSCRIPT:
        raise ImageError(f"PostScript, which is a program and no picture. {SMALLER}")
    if head.startswith(JPEG):
        file.seek(0)
        check_jpeg(file.read())
    elif head[:2] in (b"II", b"MM") and {head[2], head[3]} in ({0, 42}, {0, 43}):
        check_tiff(file, "big" if head[:2] == b"MM" else "little", big=43 in head[2:])


def check_jpeg(content: bytes) -> None:
    """Refuse a JPEG of more scans or more about the pixels than any has; what follows its end is not looked at."""
    place = scans = segments = metadata = 0
    while found := MARKER.search(content, place):
        kind, start = content[found.end() - 1], found.end()
        if kind == END:
            return
        length = int.from_bytes(content[start : start + 2], "big")
        scans, segments, metadata = scans + (kind == START_OF_SCAN), segments + 1, metadata + length
        if scans > MOST_SCANS or segments > MOST_SEGMENTS or metadata > MOST_METADATA:
            raise ImageError(
                f"a JPEG of more than {MOST_SCANS} scans, {MOST_SEGMENTS:,} segments or {MOST_METADATA >> 20} MB "
                f"beside its pixels. {SMALLER}"
            )
        place = start + length


def check_tiff(file: Any, order: Order, *, big: bool) -> None:
    """Refuse a TIFF of too many strips or tiles, in all the pages that are counted."""
    wide, sign = 8 if big else 4, "<" if order == "little" else ">"
    entry = np.dtype([("tag", f"{sign}u2"), ("kind", f"{sign}u2"), ("count", f"{sign}u{wide}"), ("value", f"V{wide}")])
    size, tags, strips = file.seek(0, io.SEEK_END), 0, 0
    seen: set[int] = set()
    place = _number(file, wide, wide, order)
    while 0 < place < size and place not in seen and len(seen) < MOST_PAGES:
        seen.add(place)
        count = _number(file, place, 8 if big else 2, order)
        tags += count
        if tags * entry.itemsize > size:
            return  # the file is cut off or damaged, which Pillow finds too
        entries = np.frombuffer(file.read(count * entry.itemsize), entry)
        strips += sum(map(int, entries["count"][np.isin(entries["tag"], (STRIPS, TILES))]))
        if strips > MOST_STRIPS:
            raise ImageError(f"a TIFF of more than {MOST_STRIPS:,} strips or tiles. {SMALLER}")
        place = _number(file, file.tell(), wide, order)


def _number(file: Any, place: int, size: int, order: Order) -> int:
    """The number at a place, 0 behind the end."""
    file.seek(place)
    return int.from_bytes(file.read(size), order)
