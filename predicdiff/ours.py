"""Whose a file is, by what is in it: only what this program wrote, and nobody has changed since, is overwritten.

- HDF5, SVG and PDF end in a SHA-256 of what is before it, so that a figure which somebody went on with is known too.
- A PNG names this program in its chunk Software.
- Records (JSON) and pages (Markdown) begin with the program's name. Those of earlier versions
  are known by how they begin.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO, Mapping

from ._version import __version__
from .errors import PredicdiffError

PROGRAM = f"predicdiff {__version__}"
#: Before the hash at the end of an HDF5 file.
SEAL = b"\npredicdiff sha256 "
#: What stands around the hash at the end of a text, which has to be a comment there.
COMMENTS = {"svg": (b"<!-- predicdiff sha256 ", b" -->\n"), "pdf": (b"% predicdiff sha256 ", b"\n")}
COMMENT = re.compile(rb"(?:<!-- |% )predicdiff sha256 ([0-9a-f]{64})(?: -->)?\n\Z")
#: The key of a record, and the line of a page, by which they are known.
MADE_BY = "made by"
PAGE = f"<!-- Made by {PROGRAM} -->\n"
PNG = b"\x89PNG\r\n\x1a\n"
#: How files begin that are known without a hash: unfinished tiles, records and pages, and parts of a comparison (.npz).
BEGINNINGS = re.compile(
    rb"predicdiff tiles "
    rb'|\{\s*"made by": "predicdiff '
    rb"|<!-- Made by predicdiff "
    rb"|PK\x03\x04.{26}what\.npy"
    # of earlier versions
    rb'|\{\s*"(?:figure": \d+,\s*"caption"|table": \[\s*\{\s*"name"|square": \d+,\s*"samples"|made": \{\s*"stride")'
    rb'|\{\s*"(?:date": "[\d-]{10}",\s*"(?:machine|versions)"|machine": \{\s*"kind"|methods": \[[^]]*\],\s*"images")'
    rb"|# The paper's claims as numbers\n|# A paper's panels against our maps of the same pictures\n"
    rb"|Pearson's correlation of each panel with our map, ",
    re.DOTALL,
)
#: Bytes at a file's beginning and end that are looked at.
LOOK = 4096
#: What files are called, by how they begin.
NOUNS = {PNG: "a PNG picture", b"\x89HDF\r\n\x1a\n": "an HDF5 file", b"%PDF-": "a PDF", b"<?xml": "an XML or SVG file"}


def refuse(path: Path, error: type[PredicdiffError]) -> None:
    """Refuse to overwrite what this program did not write, or what somebody has changed since.

    An empty file is as good as none. A link is followed.

    Parameters
    ----------
    path : Path
    error : type
        Of the error.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):  # which no file takes the place of
            return
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{path}: a pipe, a device or a socket stands there. Give another name.")
        if status.st_size == 0:
            return
        with open(path, "rb") as file:
            what = _foreign(file)
    except FileNotFoundError:
        return
    except OSError as wrong:
        raise error(f"{path}: what is there cannot be looked at ({wrong.strerror}). Give another name.") from wrong
    if what:
        raise error(
            f"{path}: {what} stands there that predicdiff did not write, or that was changed since. "
            "Give another name, or move it away."
        )
    if not os.access(path, os.W_OK):
        raise error(f"{path}: what is there is protected from being written. Give another name, or move it away.")


def commented(content: bytes, kind: str) -> bytes:
    """An SVG or a PDF with the hash at its end by which it is known; others as they are."""
    if kind not in COMMENTS:
        return content
    before, behind = COMMENTS[kind]
    return content + before + hashlib.sha256(content).hexdigest().encode() + behind


def marked(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record that begins with the program's name, by which its file is known."""
    return {MADE_BY: PROGRAM, **record}


def _foreign(file: BinaryIO) -> str:
    """What an open file is, in words, if it is not ours."""
    head = file.read(LOOK)
    if BEGINNINGS.match(head) or _is_hashed(file) or (head.startswith(PNG) and _names_us(file)):
        return ""
    return next((noun for beginning, noun in NOUNS.items() if head.startswith(beginning)), "a file")


def _is_hashed(file: BinaryIO) -> bool:
    """Whether a file ends in a hash of ours, and it is that of what is before it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LOOK))
    tail = file.read()
    digest_size = hashlib.sha256().digest_size
    if tail[-digest_size - len(SEAL) : -digest_size] == SEAL:
        return _sha256(file, size - digest_size - len(SEAL)) == tail[-digest_size:]
    comment = COMMENT.search(tail)
    return comment is not None and _sha256(file, size - len(comment[0])).hex().encode() == comment[1]


def _sha256(file: BinaryIO, length: int) -> bytes:
    """Of a file's first bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    while length > 0:
        chunk = file.read(min(length, 1 << 20))
        if not chunk:
            break
        digest.update(chunk)
        length -= len(chunk)
    return digest.digest()


def _names_us(file: BinaryIO) -> bool:
    """Whether a PNG's chunk Software, which stands before its pixels, names this program."""
    file.seek(len(PNG))
    while True:
        start = file.read(8)
        length, kind = int.from_bytes(start[:4], "big"), start[4:]
        if len(start) < 8 or kind in (b"IDAT", b"IEND"):
            return False
        if kind == b"tEXt" and file.read(min(length, 20)).startswith(b"Software\0predicdiff "):
            return True
        file.seek(length + 4 - (min(length, 20) if kind == b"tEXt" else 0), os.SEEK_CUR)
