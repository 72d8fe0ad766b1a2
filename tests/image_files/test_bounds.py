"""Image files that would keep a reader at work for minutes end in a sentence before it begins."""

from __future__ import annotations

import io
import re
import struct

import pytest
from PIL import Image

from predicdiff import load_image
from predicdiff.errors import ImageError
from predicdiff.image_files.bounds import counted


def progressive(scans: int) -> bytes:
    """A JPEG of about 10 scans, the last of which comes again ``scans`` times."""
    file = io.BytesIO()
    Image.new("L", (16, 16), 77).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    return content[:-2] + content[content.rindex(b"\xff\xda") : -2] * scans + content[-2:]


def tiff(strips: int, order: str, big: bool) -> bytes:
    """The head and the directory of a TIFF, which say that it has so many strips."""
    if big:
        return struct.pack(f"{order}HHHQQHHQQQ", 43, 8, 0, 16, 1, 273, 4, strips, 0, 0)
    return struct.pack(f"{order}HIHHHIII", 42, 8, 1, 273, 4, strips, 0, 0)


CRAFTED = {
    "scans": (progressive(50), "a JPEG of more than 50 scans"),
    "comments": (b"\xff\xd8" + b"\xff\xfe\0\3x" * 10_001, "10,000 segments"),
    "exif": (b"\xff\xd8" + (b"\xff\xe1\xff\xff" + bytes(65533)) * 513, "or 32 MB beside its pixels"),
    "strips": (b"II" + tiff(500_001, "<", big=False), "a TIFF of more than 500,000 strips or tiles"),
    "big TIFF": (b"MM" + tiff(500_001, ">", big=True), "a TIFF of more than 500,000 strips or tiles"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "PostScript, which is a program"),
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_no_reader_is_kept_at_work(kind: str) -> None:
    content, said = CRAFTED[kind]
    with pytest.raises(ImageError, match=re.escape(said)):
        load_image(io.BytesIO(content))


def test_scans_as_many_as_are_used_are_read_and_what_follows_a_jpeg_is_not_counted() -> None:
    assert abs(load_image(io.BytesIO(progressive(20) + progressive(50)))[0, 0, 0] - 77.0) < 2


def test_a_file_is_read_in_so_many_pieces_and_no_more() -> None:
    with counted(io.BytesIO(b"abcd"), 2) as file:
        assert file.read(1) + file.readline() == b"abcd"
        with pytest.raises(ImageError, match="in more pieces than are read of any"):
            file.read(1)
