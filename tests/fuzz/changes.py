"""Random changes of files: of bytes, of words, and of what is in them where lengths and hashes are set right again.

Each is a function (content, draw, others) -> content, where ``draw`` is a `random.Random` and ``others`` are further
files of the format, to take pieces from.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from random import Random
from typing import Any, Callable, Sequence

import h5py
import numpy as np
from helpers.caffe_bytes import varint

from .sealing import HEAD, SEAL, record, sealed

Change = Callable[[bytes, Random, Sequence[bytes]], bytes]

#: Numbers at which sizes, signs and kinds turn over.
NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 7, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64,
    -(2**31), -(2**63), 10**30, 0.5, -0.0, 1e-320, 1e38, 1e308, -1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
#: Texts that a terminal, an XML file or a path takes for something else.
TEXTS = (
    "", " ", "x" * 5000, "\x1b]0;owned\x07\x1b[2J", "a\x01b", "a\x00b", "a\ud800b", "<b>&amp;</b>", "../../x", "-",
    "\n\n", "\u202etxt", "中文", "$x^{2$", "nan", "\\", '"', "%s%n", "a\u2028b", "\ufeff", "1e999", "true", "{",
)  # fmt: skip
OTHER: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": None}, [0] * 50)


def of_bytes(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """One to four of: bits flipped, bytes put in, taken out, doubled, cut off, from another file, numbers put over."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        some = min(draw.choice((1, 2, 4, 16, 256)), len(data) - at)
        how = draw.randrange(7)
        if how == 0 and some:
            data[at] ^= 1 << draw.randrange(8)
        elif how == 1:
            data[at:at] = bytes(draw.randrange(256) for _ in range(draw.choice((1, 2, 8, 64))))
        elif how == 2:
            del data[at : at + some]
        elif how == 3:
            data[at:at] = data[at : at + some] * draw.choice((1, 2, 50))
        elif how == 4 and draw.random() < 0.5:
            del data[at:]
        elif how == 5:
            other = draw.choice(others)
            start = draw.randrange(len(other) + 1)
            data[at : at + some] = other[start : start + draw.choice((4, 64, 1024))]
        elif some:
            wide = draw.choice("BHIQ")
            number = draw.choice([n for n in NUMBERS if isinstance(n, int)]) % 2 ** (8 * struct.calcsize(wide))
            data[at : at + struct.calcsize(wide)] = struct.pack(draw.choice("<>") + wide, number)
    return bytes(data)


def of_words(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """Words, numbers and lines of a text put over, doubled, swapped or taken out; now and then its bytes changed."""
    if draw.random() < 0.15:
        return of_bytes(content, draw, others)
    words = re.findall(rb"[\w.+-]+|\s+|.", content, re.DOTALL)
    for _ in range(draw.randint(1, 3)):
        at, how = draw.randrange(len(words)), draw.choice((0, 0, 0, 0, 1, 2, 3, 4, 5))
        numbers = [i for i, word in enumerate(words) if re.fullmatch(rb"-?[\d.]+", word)]
        if how == 0 and numbers:
            words[draw.choice(numbers)] = str(draw.choice(NUMBERS)).encode()
        elif how == 1:
            words[at] = draw.choice(TEXTS).encode("utf-8", "surrogatepass")
        elif how == 2:
            words[at] = draw.choice(re.findall(rb"\w+", draw.choice(others)) or [b""])
        elif how == 3:
            del words[at : at + draw.choice((1, 1, 5, 40))]
        elif how == 4:
            words[at:at] = words[at : at + draw.choice((1, 10, 100))] * draw.choice((1, 1, 30))
        else:
            other = draw.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        words = words or [b" "]
    return b"".join(words)


def of_message(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """A protobuf message with fields changed at any depth, and the lengths around them set right."""
    if draw.random() < 0.4:
        return of_bytes(content, draw, others)
    return _message(content, draw, others, draw.randint(0, 5))


def _message(content: bytes, draw: Random, others: Sequence[bytes], depth: int) -> bytes:
    fields = _fields(content)
    if not fields:
        return of_bytes(content, draw, others)
    at = draw.randrange(len(fields))
    number, wire, value = fields[at]
    inner = [i for i, field in enumerate(fields) if field[1] == 2 and _fields(field[2])]
    how = draw.randrange(6)
    if depth and inner:
        at = draw.choice(inner)
        fields[at] = (fields[at][0], 2, _message(fields[at][2], draw, others, depth - 1))
    elif how == 0:
        del fields[at]
    elif how == 1:
        fields[at:at] = [fields[at]] * draw.choice((1, 2, 40))
    elif how == 2:
        fields[at] = (draw.choice((1, 2, 4, 7, 100, number + 1, 2**29 - 1)), wire, value)
    elif how == 3 or wire == 0:
        fields[at] = (number, 0, varint(draw.choice([n for n in NUMBERS if isinstance(n, int)])))
    elif how == 4:
        fields[at] = (number, 2, draw.choice(TEXTS).encode("utf-8", "surrogatepass"))
    else:
        fields[at] = (number, wire, of_bytes(value, draw, others) if wire == 2 else value)
    return b"".join(varint(n << 3 | w) + (varint(len(v)) + v if w == 2 else v) for n, w, v in fields)


def _fields(content: bytes) -> list[tuple[int, int, bytes]]:
    """The fields (number, wire type, bytes) of a message; none where it is no message."""
    fields, at = [], 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        start = at
        if wire == 0:
            _, at = _varint(content, at)
        elif wire == 2:
            length, start = _varint(content, at)
            at = start + length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            return []
        if number == 0 or at > len(content):
            return []
        fields.append((number, wire, content[start:at]))
    return fields


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while at < len(content) and shift < 70:
        value |= (content[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if content[at - 1] < 128:
            return value, at
    return 0, len(content) + 1


def of_hdf5(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """An HDF5 file with one to three datasets, or attributes, replaced by others; or its bytes changed."""
    if draw.random() < 0.3:
        return of_bytes(content, draw, others)
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        for _ in range(draw.randint(1, 3)):
            _dataset(file, draw)
    return buffer.getvalue()


def _dataset(file: h5py.File, draw: Random) -> None:
    names: list[str] = []
    few = 10**6  # a change before may have made one that is larger than memory
    file.visititems(
        lambda name, thing: names.append(name) if isinstance(thing, h5py.Dataset) and thing.size < few else None
    )
    if not names or draw.random() < 0.05:
        file.attrs[draw.choice(("format", "version", "other"))] = draw.choice((0, 2, "x", 1e300, [1, 2]))
        return
    name = draw.choice(sorted(names))
    text = h5py.check_string_dtype(file[name].dtype) is not None and file[name].shape == ()
    value = file[name][()]
    if draw.random() < 0.1:
        file.move(name, f"{name}{draw.choice('x 0')}") if draw.random() < 0.5 else file.pop(name)
        return
    del file[name]
    if text and draw.random() < 0.9:
        file.create_dataset(name, data=_json(value, draw), dtype=h5py.string_dtype())
    else:
        _array(file, name, np.asarray(value), draw)


def _json(value: Any, draw: Random) -> bytes:
    try:
        changed = json.dumps(of_tree(json.loads(value), draw)).encode()
    except ValueError:  # a change before has made it none
        return b"{}"
    return changed if draw.random() < 0.9 else of_words(changed, draw, [changed]).replace(b"\0", b"")


def of_tree(tree: Any, draw: Random) -> Any:
    """What JSON holds, with one value in it changed."""
    if isinstance(tree, dict) and tree and draw.random() < 0.85:
        key = draw.choice(sorted(tree))
        if draw.random() < 0.1:
            return {name: value for name, value in tree.items() if name != key}
        if draw.random() < 0.05:
            return {**tree, draw.choice(TEXTS): draw.choice(OTHER)}
        return {**tree, key: of_tree(tree[key], draw)}
    if isinstance(tree, list) and tree and draw.random() < 0.8:
        at = draw.randrange(len(tree))
        if draw.random() < 0.2:
            return tree * draw.choice((0, 2, 3, 100))
        return [*tree[:at], of_tree(tree[at], draw), *tree[at + 1 :]]
    return draw.choice(draw.choice((NUMBERS, TEXTS, OTHER, (_deep(400),))))


def _deep(depth: int) -> Any:
    return [_deep(depth - 1)] if depth else 0


def _array(file: h5py.File, name: str, value: np.ndarray, draw: Random) -> None:
    """Another array at a dataset's place: of another shape, kind or with other numbers, or one without any written."""
    how = draw.randrange(6)
    if value.dtype.kind not in "biuf" or how == 0:
        shape = draw.choice(((), (0,), (1,), (3,), (1, 0, 5), (2, 3, 4), (1, 1, 1, 1), (1,) * 32))
        value = np.zeros(shape, draw.choice(("f8", "f4", "f2", "u1", "i8", "?", "c8", "S3", "f8")))
    elif how == 1 and value.size:
        value = value.astype("f8") if draw.random() < 0.5 else value.copy()
        number = draw.choice(NUMBERS)
        with np.errstate(all="ignore"):
            at = draw.randrange(value.size)
            value.reshape(-1)[at : at + draw.choice((1, value.size))] = np.array(float(number)).astype(value.dtype)
    elif how == 2:
        value = value.astype(draw.choice(("f8", "f4", "f2", "u1", "i8", "?", ">f8", "c16")))
    elif how == 3:
        value = np.moveaxis(value, 0, -1) if value.ndim else value[None]
    elif how == 4:
        value = np.repeat(value, draw.choice((0, 2, 5)), axis=draw.randrange(value.ndim)) if value.ndim else value
    else:
        sides = tuple(draw.choice((1, 3, 1000, 50_000)) for _ in range(draw.randint(1, 3)))
        file.create_dataset(name, sides, value.dtype, chunks=tuple(min(side, 100) for side in sides))
        return
    file.create_dataset(name, data=value)


def of_sealed(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """A result or sampler changed inside and sealed anew; now and then with its old seal."""
    if draw.random() < 0.05:
        return of_bytes(content, draw, others)
    inside = [other.rsplit(SEAL, 1)[0] for other in others]
    return sealed(of_hdf5(content.rsplit(SEAL, 1)[0], draw, inside))


def of_tiles(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """Tiles with their head, or a record, changed; mostly with its length and CRC-32 set right."""
    if draw.random() < 0.4:
        return of_bytes(content, draw, others)
    magic, line, rest = content.split(b"\n", 2)
    if draw.random() < 0.3:
        head = of_tree(json.loads(line), draw)
        return b"\n".join((magic, json.dumps(head).encode(), rest))
    records = _records(rest)
    at = draw.randrange(len(records))
    if draw.random() < 0.5:
        records[at] = of_bytes(records[at], draw, records)
    else:
        sides = draw.choice(((), (0,), (2,), (1, 1), (3, 2), (2, 640)))
        number, kind = draw.choice((0.0, np.nan, np.inf, 1e300)), draw.choice(("f8", "f4", "i8", "c8", "S2"))
        with np.errstate(all="ignore"):
            values = np.full(sides, number, kind)
        records[at] = _npz(*[values] * draw.randrange(6), number=np.array(draw.choice((0, 1, -1, 2**40, 0.5, True))))
    return b"\n".join((magic, line, b"".join(map(record, records))))


def _records(rest: bytes) -> list[bytes]:
    records = []
    while rest:
        length = HEAD.unpack(rest[: HEAD.size])[0]
        records.append(rest[HEAD.size : HEAD.size + length])
        rest = rest[HEAD.size + length :]
    return records


def _npz(*arrays: np.ndarray, **named: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays, **named)
    return buffer.getvalue()


def of_npy(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """A NumPy file with words of its head changed, whose length is set right; or its bytes changed."""
    if draw.random() < 0.4:
        return of_bytes(content, draw, others)
    length = struct.unpack("<H", content[8:10])[0]
    kinds = [b"'<f4'", b"'|O'", b"'<i8'", b"'|b1'", b"'>f2'", b"'<U9'", b"[('a', '<f4')]", b"(True,)", b"(3.0,)", b"-1"]
    head = of_words(content[10 : 10 + length].strip(), draw, [content[10 : 10 + length], *kinds])[:60_000] + b"\n"
    return content[:8] + struct.pack("<H", len(head)) + head + content[10 + length :]


def of_png(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """Bytes changed; of a PNG mostly those of one chunk, whose CRC-32 is set right."""
    if not content.startswith(b"\x89PNG") or draw.random() < 0.3:
        return of_bytes(content, draw, others)
    chunks, at = [], 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunks.append(content[at + 4 : at + 8 + length])
        at += 12 + length
    at = draw.randrange(len(chunks))
    kind, inside = chunks[at][:4], chunks[at][4:]
    if kind == b"IDAT" and draw.random() < 0.5:
        inside = zlib.compress(of_bytes(zlib.decompress(inside), draw, others))
    else:
        inside = of_bytes(inside, draw, others)
    chunks[at] = kind + inside
    tail = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return content[:8] + b"".join(tail)


def of_safetensors(content: bytes, draw: Random, others: Sequence[bytes]) -> bytes:
    """The head of a safetensors file changed and its length set right; or bytes."""
    if content[8:9] != b"{" or draw.random() < 0.4:
        return of_bytes(content, draw, others)
    (length,) = struct.unpack("<Q", content[:8])
    head = json.dumps(of_tree(json.loads(content[8 : 8 + length]), draw)).encode()
    return struct.pack("<Q", len(head)) + head + content[8 + length :]
