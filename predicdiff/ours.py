"""Whose a file is, by what is in it: only what this program wrote, and nobody has changed since, is overwritten.

Every file holds a SHA-256 of all the rest of it, so that one which somebody went on with is known too: HDF5, SVG, PDF
and pages (HTML and Markdown) at their end, records (JSON) at their beginning, and PNGs in the chunk Software, which
names this program. Earlier versions wrote no hash; of their files those are known that a `make` writes again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Mapping, NamedTuple

from ._version import __version__
from .errors import PredicdiffError

PROGRAM = f"predicdiff {__version__}"
#: Before the hash at the end of an HDF5 file.
SEAL = b"\npredicdiff sha256 "
#: What stands around the hash at the end of a text, which has to be a comment there.
COMMENTS = {
    "svg": (b"<!-- predicdiff sha256 ", b" -->\n"),
    "html": (b"<!-- predicdiff sha256 ", b" -->\n"),
    "md": (b"<!-- predicdiff sha256 ", b" -->\n"),
    "pdf": (b"% predicdiff sha256 ", b"\n"),
}
COMMENT = re.compile(rb"(?:<!-- |% )predicdiff sha256 ([0-9a-f]{64})(?: -->)?\n\Z")
#: The keys of a record, and the line of a page, that tell them from those of earlier versions.
MADE_BY, SHA256 = "made by", "sha256"
PAGE = f"<!-- Made by {PROGRAM} -->\n"
PNG = b"\x89PNG\r\n\x1a\n"
#: Where the first chunk of a PNG behind its header begins.
BEHIND_HEADER = len(PNG) + 25
#: The hash in a record and in a PNG, and what of the file it is not of.
IN_RECORD = re.compile(rb'\{\s*"made by": "predicdiff [^"]*",\s*"sha256": "(?P<cut>(?P<hash>[0-9a-f]{64}))"')
IN_PNG = re.compile(
    re.escape(PNG) + rb".{25}(?P<cut>.{4}tEXtSoftware\0predicdiff [^\0 ]+ sha256 (?P<hash>[0-9a-f]{64}).{4})", re.DOTALL
)
#: How unfinished tiles begin, whose own records have hashes of their own, and pages of earlier versions.
BEGINNINGS = re.compile(
    rb"predicdiff tiles (?:2\n|3\n\xd7tiles\r\n)"
    rb"|# The paper's claims as numbers\n\n.{0,3000}Made by `make claims`\. "
    rb"|# A paper's panels against our maps of the same pictures\n\nStride \d+, S = \d+, seed \d+; random weights and "
    rb"|Pearson's correlation of each panel with our map, and the rank of the right class's map among all \d+; stride ",
    re.DOTALL,
)
#: All keys of the records that each `make` wrote in earlier versions.
RECORDS = (
    ("figure", "caption", "panels"),
    ("table", "not measured", "note", "changed", "versions", "nets"),
    ("table", "not measured", "note", "versions", "nets"),
    ("made", "panels", "groups", "ceiling", "not_run", "nets", "versions"),
    ("made", "panels", "classes", "settings", "choices"),
    ("square", "samples", "seed", "maps"),
    ("date", "machine", "versions", "settings", "nets", "summary"),
    ("machine", "versions", "settings", "rows"),
    ("date", "versions", "machine", "goal", "square", "comparisons"),
)
#: Those of each net's part of the record of `make architectures`.
ARCHITECTURE = ("how", "share", "incremental", "dense", "ratio", "gap", "change", "nudge")
#: What the chunk Software of a PNG of an earlier version holds.
EARLIER_PNG = re.compile(rb"Software\0predicdiff [^\0 ]+")
#: Bytes at a file's beginning and end that are looked at, and those of the largest record of an earlier version.
LOOK, LARGEST_RECORD = 4096, 2**22
#: What files are called, by how they begin.
NOUNS = {
    PNG: "a PNG picture",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"%PDF-": "a PDF",
    b"<?xml": "an XML or SVG file",
    b"<!doctype html>": "a page",
}


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


class _Hash(NamedTuple):
    """A hash in a file, of all but the bytes from ``start`` to ``end``."""

    start: int
    end: int
    digest: str


def hashed(content: bytes, kind: str) -> bytes:
    """A picture or a page with the hash by which it is known; ``kind`` is the ending of its name."""
    if kind == "png":
        rest = content.replace(_software(PROGRAM), b"", 1)
        chunk = _software(f"{PROGRAM} sha256 {hashlib.sha256(rest).hexdigest()}")
        return rest[:BEHIND_HEADER] + chunk + rest[BEHIND_HEADER:]
    before, behind = COMMENTS[kind]
    return content + before + hashlib.sha256(content).hexdigest().encode() + behind


def as_record(content: Mapping[str, Any], **how: Any) -> bytes:
    """A record as JSON that begins with the program's name and the hash by which it is known; ``how`` as of `json`."""
    text = json.dumps({MADE_BY: PROGRAM, SHA256: "", **content}, indent=1, **how) + "\n"
    before, mark, behind = text.partition(f'"{SHA256}": "')
    return (before + mark + hashlib.sha256(text.encode()).hexdigest() + behind).encode()


def _software(text: str) -> bytes:
    """The chunk of a PNG that says what made it."""
    body = b"tEXtSoftware\0" + text.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _foreign(file: BinaryIO) -> str:
    """What an open file is, in words, if it is not ours."""
    head = file.read(LOOK)
    if BEGINNINGS.match(head) or _is_hashed(file, head) or _is_earlier(file, head):
        return ""
    return next((noun for beginning, noun in NOUNS.items() if head.startswith(beginning)), "a file")


def _is_hashed(file: BinaryIO, head: bytes) -> bool:
    """Whether a file holds a hash of ours, and it is that of the rest."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LOOK))
    found = _at_the_end(file.read(), size) or _at_the_beginning(head)
    if found is None:
        return False
    digest = hashlib.sha256()
    for start, end in ((0, found.start), (found.end, size)):
        _take(digest, file, start, end)
    return digest.hexdigest() == found.digest


def _at_the_end(tail: bytes, size: int) -> _Hash | None:
    """The hash at the end of a file of ``size`` bytes, which ends in ``tail``."""
    length = hashlib.sha256().digest_size
    if tail[-length - len(SEAL) : -length] == SEAL:
        return _Hash(size - length - len(SEAL), size, tail[-length:].hex())
    found = COMMENT.search(tail)
    return found and _Hash(size - len(found[0]), size, found[1].decode())


def _at_the_beginning(head: bytes) -> _Hash | None:
    """The hash of a record, or of a PNG."""
    found = IN_RECORD.match(head) or IN_PNG.match(head)
    return found and _Hash(*found.span("cut"), found["hash"].decode())


def _take(digest: Any, file: BinaryIO, start: int, end: int) -> None:
    """Add a file's bytes from ``start`` to ``end`` to what is hashed."""
    file.seek(start)
    while start < end:
        chunk = file.read(min(end - start, 1 << 20))
        if not chunk:
            break
        digest.update(chunk)
        start += len(chunk)


def _is_earlier(file: BinaryIO, head: bytes) -> bool:
    """Whether it is a PNG or a record of an earlier version."""
    if head.startswith(PNG):
        return _names_us(file)
    if not head.startswith(b"{"):
        return False
    file.seek(0)
    try:
        content: dict[str, Any] = json.loads(file.read(LARGEST_RECORD), parse_int=str)
    except (ValueError, RecursionError):
        return False
    parts = {tuple(part) if isinstance(part, dict) else () for part in content.values()}
    return tuple(content) in RECORDS or parts == {ARCHITECTURE}


def _names_us(file: BinaryIO) -> bool:
    """Whether a PNG's chunk Software, which stands before its pixels, names an earlier version: that has no hash."""
    file.seek(len(PNG))
    while True:
        start = file.read(8)
        length, kind = int.from_bytes(start[:4], "big"), start[4:]
        if len(start) < 8 or kind in (b"IDAT", b"IEND"):
            return False
        text = file.read(min(length, 100)) if kind == b"tEXt" else b""
        if EARLIER_PNG.fullmatch(text):
            return True
        file.seek(length + 4 - len(text), os.SEEK_CUR)
