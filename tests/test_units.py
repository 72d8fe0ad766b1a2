"""Addresses: blobs by name, units by index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from predicdiff.errors import BlobError
from predicdiff.units import as_map, check_unit, lookup, read

BLOBS = {
    "data": (3, 8, 8),
    "conv1": (16, 8, 8),
    "inception_3a/output": (8, 4, 4),
    "inception_3b/output": (8, 4, 4),
    "pool5": (16,),
    "fc8": (10,),
    "prob": (10,),
}


def test_lookup_gives_the_shape() -> None:
    assert lookup(BLOBS, "conv1") == (16, 8, 8)
    assert lookup({"a": [3, 4]}, "a") == (3, 4)  # type: ignore[dict-item]


def test_an_unknown_blob_lists_near_names() -> None:
    with pytest.raises(
        BlobError, match=r"no blob 'inception_3a'. Near names: inception_3a/output, inception_3b/output"
    ):
        lookup(BLOBS, "inception_3a")


def test_an_unknown_blob_like_no_other_lists_the_last_ones() -> None:
    with pytest.raises(BlobError, match=r"no blob 'zzz'. Near names: .*pool5, fc8, prob\."):
        lookup(BLOBS, "zzz")


@pytest.mark.parametrize("blob", [None, 7, ("fc8",)])
def test_a_blob_that_is_no_name(blob: Any) -> None:
    with pytest.raises(BlobError, match="the net has no blob"):
        lookup(BLOBS, blob)


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        (3, (3,)),
        (0, (0,)),
        ([2, 3, 1], (2, 3, 1)),
        ((2, 3, 1), (2, 3, 1)),
        ((5,), (5,)),
        ((5, 1), (5, 1)),
        (np.int64(5), (5,)),
        (np.array([2, 3, 1]), (2, 3, 1)),
        (np.array([5]), (5,)),
    ],
)
def test_units_become_tuples_of_plain_integers(unit: Any, wanted: tuple) -> None:
    index = check_unit((6, 4, 4), unit, blob="conv")
    assert index == wanted
    assert all(type(i) is int for i in index)


@pytest.mark.parametrize("unit", [6, -1, (0, 4, 0), (0, 0, -1), (0, 0, 0, 0), (), [], np.array([7, 0, 0])])
def test_units_out_of_range(unit: Any) -> None:
    with pytest.raises(BlobError, match=r"is out of range: blob 'conv' has the shape \(6, 4, 4\), indices from 0"):
        check_unit((6, 4, 4), unit, blob="conv")


@pytest.mark.parametrize("unit", ["281", "cat", b"12", 2.0, (1.5, 2, 3), None, (None,), [[1, 2]], np.array([1.0])])
def test_what_is_no_index_is_refused_and_not_read_digit_by_digit(unit: Any) -> None:
    with pytest.raises(BlobError, match=r"want an index, \(channel, row, column\) in a map, or the name"):
        check_unit((600, 400, 400), unit, blob="conv")


def test_read_takes_units_and_averages_what_they_leave_over() -> None:
    values = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    values_read = read(values, [(1, 2, 3), (2,), (0, 1)])
    wanted = []
    for image in range(2):
        unit = image * 60 + 20 + 13
        channel = sum(image * 60 + 40 + i for i in range(20)) / 20
        row = sum(image * 60 + 5 + i for i in range(5)) / 5
        wanted.append([unit, channel, row])
    np.testing.assert_allclose(values_read, wanted, rtol=1e-12)
    assert values_read.dtype == np.float64


def test_read_averages_in_double_precision() -> None:
    values = np.full((1, 1, 1000, 1000), 0.1, np.float32)
    assert read(values, [(0,)])[0, 0] == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_read_of_a_vector() -> None:
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)
    np.testing.assert_array_equal(read(values, [(2,), (0,), (2,)]), [[3, 1, 3], [6, 4, 6]])


@pytest.mark.parametrize(("shape", "wanted"), [((10,), (10, 1, 1)), ((8, 4, 5), (8, 4, 5)), ([3], (3, 1, 1))])
def test_a_vector_counts_as_maps_of_one_unit(shape: Any, wanted: tuple) -> None:
    assert as_map(shape) == wanted


@pytest.mark.parametrize("shape", [(), (2, 3, 4, 5)])
def test_other_shapes_are_no_maps(shape: tuple) -> None:
    with pytest.raises(BlobError, match=r"want \(C, H, W\), \(C,\) or tokens \(N, d\)"):
        as_map(shape)
