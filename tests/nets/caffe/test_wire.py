"""Walking protobuf's wire format."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.caffe_bytes import number, piece, varint
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import FormatError
from predicdiff.nets.caffe.wire import Field, fields

NUMBERS = st.integers(1, 2**29 - 1)
ENCODED = st.one_of(
    st.tuples(NUMBERS, st.just(0), st.integers(0, 2**64 - 1).map(varint)),
    st.tuples(NUMBERS, st.just(1), st.binary(min_size=8, max_size=8)),
    st.tuples(NUMBERS, st.just(2), st.binary(max_size=300)),
    st.tuples(NUMBERS, st.just(5), st.binary(min_size=4, max_size=4)),
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wire") / "message"


def walk(path: Path, data: bytes, start: int = 0) -> list[Field]:
    path.write_bytes(data)
    with path.open("rb") as file:
        return list(fields(file, start, len(data)))


@given(parts=st.lists(ENCODED, max_size=8), before=st.binary(max_size=5))
def test_fields_are_found_where_they_were_written(
    scratch: Path, parts: list[tuple[int, int, bytes]], before: bytes
) -> None:
    data = before
    for field, wire, payload in parts:
        data += varint(field << 3 | wire) + (varint(len(payload)) if wire == 2 else b"") + payload
    walked = walk(scratch, data, start=len(before))
    assert [(field.number, field.wire, data[field.start : field.stop]) for field in walked] == parts
    assert b"".join(data[field.begin : field.stop] for field in walked) == data[len(before) :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (number(1, 5)[:-1], "a number at byte 0 has no end"),
        (b"\x80" * 11, "a number at byte 0 has no end"),
        (piece(3, b"abc")[:-1], "want 3 bytes from byte 2 on, found 2"),
        (piece(1, b"") + varint(1 << 3 | 2) + varint(2**31), "want 2147483648 bytes from byte 8 on, found 0"),
        (varint(1 << 3 | 1) + b"1234567", "want 8 bytes from byte 1 on, found 7"),
        (varint(1 << 3 | 5) + b"123", "want 4 bytes from byte 1 on, found 3"),
        (b"\x00\x00", "no field of protobuf at byte 0"),
        (varint(1 << 3 | 3), "no field of protobuf at byte 0"),
        (varint(2**29 << 3) + b"\x00", "no field of protobuf at byte 0"),
    ],
)
def test_what_is_no_message_is_refused(scratch: Path, data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        walk(scratch, data)
