"""HEIC and HEIF, the photographs of telephones, by pillow-heif."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ..extras import imported

#: Brands of the files whose pictures are coded as HEVC; others, such as AVIF's, Pillow itself reads.
BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def is_heif(head: bytes) -> bool:
    """Whether a file that begins so is one: its first box is ``ftyp`` and holds one of the brands."""
    if head[4:8] != b"ftyp":
        return False
    box = head[8 : int.from_bytes(head[:4], "big")]
    return not BRANDS.isdisjoint(box[place : place + 4] for place in range(0, len(box), 4))


def opened(file: Path | io.BytesIO) -> Any:
    """A PIL image, turned already as the file says; Pillow itself is told nothing of this format.

    Raises
    ------
    DependencyError
        If pillow-heif is not installed.
    """
    return imported("pillow_heif", "heif").HeifImageFile(file)
