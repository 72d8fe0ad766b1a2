"""Caffe's files, byte by byte: protobuf's wire format written out by hand."""

from __future__ import annotations

import struct
from typing import Iterable, Sequence

import numpy as np


def varint(value: int) -> bytes:
    """Seven bits a byte, the least significant first; negative numbers as 64 bits in two's complement."""
    value %= 2**64
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def piece(field: int, payload: bytes) -> bytes:
    """A message, a string or packed numbers."""
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def floats(values: Iterable[float]) -> bytes:
    """Packed ``data`` of a blob."""
    return piece(5, np.asarray(values, "<f4").tobytes())


def doubles(values: Iterable[float]) -> bytes:
    """Packed ``double_data`` of a blob."""
    return piece(8, np.asarray(values, "<f8").tobytes())


def loose_floats(values: Iterable[float]) -> bytes:
    """``data`` of a blob, each number a field of its own."""
    return b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in values)


def shape(dims: Sequence[int]) -> bytes:
    return piece(7, piece(1, b"".join(varint(size) for size in dims)))


def legacy_shape(dims: Sequence[int]) -> bytes:
    return b"".join(number(field, size) for field, size in enumerate(dims, start=1))


def v1(name: str, *blobs: bytes) -> bytes:
    return piece(2, piece(4, name.encode()) + b"".join(piece(6, blob) for blob in blobs))


def v2(name: str, *blobs: bytes) -> bytes:
    return piece(100, piece(1, name.encode()) + b"".join(piece(7, blob) for blob in blobs))
