"""How predicdiff's own files are held together, written down a second time so that changed ones can be made."""

from __future__ import annotations

import hashlib
import struct
import zlib

SEAL = b"\npredicdiff sha256 "
MAGIC = b"predicdiff tiles 2\n"
HEAD = struct.Struct("<QI")


def sealed(content: bytes) -> bytes:
    """HDF5 with the SHA-256 that the program looks for."""
    return content + SEAL + hashlib.sha256(content).digest()


def record(content: bytes) -> bytes:
    """A record of finished tiles."""
    return HEAD.pack(len(content), zlib.crc32(content)) + content
