"""The bytes of unfinished tiles: records that are found again behind damage, and trusted only when they are whole.

A file begins with a line that says what it is. A record is a mark, its kind, a number, a group, the length of its body
and CRC-32s of the body and of these; then the body. Where one is damaged, the next is found by its mark. Files of the
last release hold a line of JSON and records of another form, without marks; what is added to them has this one.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import struct
import zipfile
import zlib
from typing import Any, BinaryIO, Iterator, NamedTuple, Tuple

import numpy as np

from .protocols import Json

#: How each form's first line begins, and the whole of it in this release and the last.
BEGINNING = b"predicdiff tiles "
MAGIC, OLD_MAGIC = BEGINNING + b"3\n", BEGINNING + b"2\n"
#: What a record begins with, and the rest of its head: kind, number, group, the body's length and CRC-32; then its own.
MARK = b"\xd7tiles\r\n"
HEAD, CHECK = struct.Struct("<8scIIQI"), struct.Struct("<I")
HEAD_SIZE = HEAD.size + CHECK.size
#: Kinds of records: what the run is; who goes on with it; with what tiles are made; a tile.
RUN, OWNER, CONDITIONS, TILE = b"r", b"o", b"c", b"t"
#: A record's head in the last release's files: the length of its archive and its CRC-32.
OLD_HEAD = struct.Struct("<QI")

#: Bytes of what is read as JSON, at most: what a run is, and the shapes of a tile's arrays.
MOST_JSON, MOST_SHAPES = 1 << 24, 1 << 10
#: Arrays of a tile, at most.
MOST_ARRAYS = 8
#: Heads that are damaged, and records of the last release, at most: no run leaves so many, and each takes time.
MOST_DAMAGED, MOST_OLD = 1000, 50_000
DTYPE = re.compile(r"[<|][fiub][1248]\Z")
#: Bytes that are searched for a mark at once.
CHUNK = 1 << 14

Arrays = Tuple[np.ndarray, ...]


class DamagedError(Exception):
    """These bytes are not what was written; to be said in a sentence by who knows whose they are."""


class Head(NamedTuple):
    """The head of a record, and the place in the file where it says that the record ends."""

    kind: bytes
    number: int
    group: int
    length: int
    check: int
    end: int


class Record(NamedTuple):
    """A whole record, and the place in the file where it ends."""

    kind: bytes
    number: int
    group: int
    body: bytes
    end: int


def packed(kind: bytes, number: int, group: int, body: bytes) -> bytes:
    """A record's bytes."""
    head = HEAD.pack(MARK, kind, number, group, len(body), zlib.crc32(body))
    return head + CHECK.pack(zlib.crc32(head)) + body


def records(file: BinaryIO, place: int) -> Iterator[Record]:
    """All whole records from a place on; what is damaged between them is passed over.

    Raises
    ------
    DamagedError
        If there is more damage than any accident does.
    """
    size, damaged = os.fstat(file.fileno()).st_size, 0
    while place + HEAD_SIZE <= size:
        head = head_at(file, place)
        if head is None or head.end > size:  # damaged, or cut short by a kill
            damaged += 1
            if damaged > MOST_DAMAGED:
                raise DamagedError
            place = _next_mark(file, place + 1, size)
            continue
        body = file.read(head.length)
        if zlib.crc32(body) == head.check:
            yield Record(head.kind, head.number, head.group, body, head.end)
        place = head.end


def head_at(file: BinaryIO, place: int) -> Head | None:
    """The head of the record at a place, behind which the file is then; None if no record begins there."""
    file.seek(place)
    head = file.read(HEAD_SIZE)
    if len(head) < HEAD_SIZE or not head.startswith(MARK):
        return None
    if CHECK.unpack(head[HEAD.size :]) != (zlib.crc32(head[: HEAD.size]),):
        return None
    _, kind, number, group, length, check = HEAD.unpack(head[: HEAD.size])
    return Head(kind, number, group, length, check, place + HEAD_SIZE + length)


def _next_mark(file: BinaryIO, place: int, size: int) -> int:
    """Where the next mark is; the file's end if there is none."""
    while place < size:
        file.seek(place)
        chunk = file.read(CHUNK)
        found = chunk.find(MARK)
        if found >= 0:
            return place + found
        if len(chunk) < CHUNK:
            break
        place += CHUNK - len(MARK) + 1
    return size


def json_bytes(value: Any) -> bytes:
    """What JSON can hold, as a record's body."""
    return json.dumps(value).encode()


def read_json(body: bytes) -> Json:
    """A dict of a record's body.

    Raises
    ------
    DamagedError
        If it is none.
    """
    try:
        value = json.loads(body) if len(body) <= MOST_JSON else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise DamagedError
    return value


def array_bytes(arrays: Arrays) -> bytes:
    """Arrays of numbers as a record's body: a line with their types and shapes, and their values."""
    plain = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape) for array in arrays]
    line = json.dumps([[array.dtype.str, array.shape] for array in plain]).encode()
    return b"".join([line, b"\n", *(array.tobytes() for array in plain)])


def read_arrays(body: bytes) -> Arrays:
    """Arrays of a record's body.

    Raises
    ------
    DamagedError
        If it holds something else, or not just as many bytes as they take.
    """
    end = body.find(b"\n", 0, MOST_SHAPES)
    try:
        forms = [_form(*entry) for entry in json.loads(body[:end])] if end >= 0 else []
    except (ValueError, TypeError, RecursionError):
        forms = []
    place, arrays = end + 1, []
    if not 0 < len(forms) <= MOST_ARRAYS or place + sum(dtype.itemsize * size for dtype, _, size in forms) != len(body):
        raise DamagedError
    for dtype, shape, size in forms:
        arrays.append(np.frombuffer(body, dtype, size, place).reshape(shape).astype(dtype.newbyteorder("=")))
        place += dtype.itemsize * size
    return tuple(arrays)


def _form(name: str, shape: list[int]) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """An array's type, shape and number of values; a ValueError if no array of numbers has them."""
    if not DTYPE.match(name) or len(shape) > MOST_ARRAYS or not all(type(n) is int and n >= 1 for n in shape):
        raise ValueError
    return np.dtype(name), tuple(shape), math.prod(shape)


def old_records(file: BinaryIO, place: int) -> Iterator[Record]:
    """The last release's records from a place on, up to the first that is damaged; their bodies are as `packed`'s."""
    size = os.fstat(file.fileno()).st_size
    for _ in range(MOST_OLD):
        file.seek(place)
        head = file.read(OLD_HEAD.size)
        if len(head) < OLD_HEAD.size:
            return
        length, check = OLD_HEAD.unpack(head)
        end = place + OLD_HEAD.size + length
        if not length or end > size:  # a crash may leave zeros, which are their own CRC-32
            return
        body = file.read(length)
        if zlib.crc32(body) != check:
            return
        try:
            *arrays, number = _unzipped(body)
        except (DamagedError, ValueError, zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, struct.error):
            return
        yield Record(TILE, int(number), 0, array_bytes(tuple(arrays)), end)
        place = end


def _unzipped(body: bytes) -> Arrays:
    """The arrays of an archive as `numpy.savez` writes it, their number last; nothing else is read."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = archive.namelist()
        wanted = [*(f"arr_{number}.npy" for number in range(len(names) - 1)), "number.npy"]
        if not 2 <= len(names) <= MOST_ARRAYS or sorted(names) != sorted(wanted):
            raise DamagedError
        infos = [archive.getinfo(name) for name in wanted]
        if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > len(body) for info in infos):
            raise DamagedError
        arrays = [_array(archive.read(info)) for info in infos]
    if arrays[-1].shape or arrays[-1].dtype.kind not in "iu" or not 0 <= arrays[-1] < 1 << 32:
        raise DamagedError
    return tuple(arrays)


def _array(content: bytes) -> np.ndarray:
    """An array of numbers in NumPy's format, none of whose values is missing."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise DamagedError
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except (SyntaxError, TypeError, RecursionError, MemoryError):  # of a header that is no Python literal
        raise DamagedError from None
    values = content[file.tell() :]
    if not DTYPE.match(dtype.str) or any(length < 1 for length in shape):
        raise DamagedError
    if math.prod(shape) * dtype.itemsize != len(values):
        raise DamagedError
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C")
