"""Protobuf's wire format: walked in a file without reading what lies between, and written."""

from __future__ import annotations

from io import BufferedReader
from typing import Iterable, Iterator, NamedTuple

from ...errors import FormatError

# Wire types of protobuf.
_VARINT, _FIXED64, LENGTH, _FIXED32 = 0, 1, 2, 5

#: Fields of a file that are looked at, which takes some microseconds each; nets have ten thousand.
MOST_FIELDS = 10**6


class Field(NamedTuple):
    """One field of a message: its number, its wire type, where it begins and where its payload lies in the file."""

    number: int
    wire: int
    begin: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.stop - self.start


def want_length(field: Field) -> None:
    """Refuse what should be a message, a string or packed numbers, and is a single number."""
    if field.wire != LENGTH:
        raise FormatError(
            f"the file is damaged: field {field.number} at byte {field.begin} is of another type than in Caffe."
        )


def stretch(file: BufferedReader, start: int, stop: int) -> bytes:
    """The bytes between two places of a file."""
    file.seek(start)
    return file.read(stop - start)


def fields(file: BufferedReader, start: int, stop: int) -> Iterator[Field]:
    """The fields of the message between two places of a file, in order; those inside it are not looked at."""
    while start < stop:
        head = stretch(file, start, min(start + 20, stop))
        tag, used = varint(head, 0, start)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 2**29 or wire not in (_VARINT, _FIXED64, LENGTH, _FIXED32):
            raise FormatError(
                f"the file is damaged, or of another kind: there is no field of protobuf at byte {start}."
            )
        begin, size = start + used, {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
        if wire == _VARINT:
            size = varint(head, used, start)[1] - used
        elif wire == LENGTH:
            size, used = varint(head, used, start)
            begin = start + used
        if begin + size > stop:
            raise FormatError(
                f"the file is cut off or damaged: want {size} bytes from byte {begin} on, found {stop - begin}."
            )
        yield Field(number, wire, start, begin, begin + size)
        start = begin + size


class Walk:
    """The fields of messages in one file, whose bytes may be read beside: so many in all, and no more."""

    def __init__(self, file: BufferedReader, most: int = MOST_FIELDS) -> None:
        self.file = file
        self.most = most
        self._seen = 0

    def fields(self, start: int, stop: int) -> Iterator[Field]:
        """As the function."""
        for field in fields(self.file, start, stop):
            self._seen += 1
            if self._seen > self.most:
                raise FormatError(
                    f"the file holds more than {self.most:,} fields besides its numbers: no net has as many."
                )
            yield field


def varint(data: bytes, start: int, place: int) -> tuple[int, int]:
    """Value of the varint that begins at ``start``, and where it ends."""
    value = 0
    for index in range(start, min(start + 10, len(data))):
        value |= (data[index] & 0x7F) << 7 * (index - start)
        if data[index] < 0x80:
            return value, index + 1
    raise FormatError(f"the file is cut off or damaged: a number at byte {place} has no end.")


def packed(values: Iterable[int]) -> bytes:
    """Numbers of at least 0 as varints, one behind the other."""
    written = bytearray()
    for value in values:
        while value > 0x7F:
            written.append(value & 0x7F | 0x80)
            value >>= 7
        written.append(value)
    return bytes(written)


def piece(number: int, content: bytes) -> bytes:
    """A field that holds a message, a string or packed numbers."""
    return packed([number << 3 | LENGTH, len(content)]) + content
