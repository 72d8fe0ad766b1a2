"""Reading one layer's parameters."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.records import layer

from predicdiff.errors import LayerError
from predicdiff.nets.caffe.fields import Fields


def read(**fields: Any) -> Fields:
    return Fields(layer("Convolution", "data", "conv1", **fields), [(3, 8, 8)], "convolution_param")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, (1, 1)),
        ({"stride": 2}, (2, 2)),
        ({"stride": [2]}, (2, 2)),
        ({"stride": [2, 3]}, (2, 3)),
        ({"stride": []}, (1, 1)),
        ({"stride_h": 2, "stride_w": 3}, (2, 3)),
    ],
)
def test_pairs(fields: dict[str, Any], wanted: tuple[int, int]) -> None:
    assert read(**fields).pair("stride", 1) == wanted


def test_padding_of_one_side_alone() -> None:
    assert read(pad_w=2).pair("pad", 0) == (0, 2)


@pytest.mark.parametrize(("counted", "ours"), [(1, 0), (3, 2), (-1, 2), (-3, 0)])
def test_axes_do_without_the_batch(counted: int, ours: int) -> None:
    assert read(axis=counted).axis(3, 1) == ours


@pytest.mark.parametrize("counted", [0, -4])
def test_the_batch_axis_is_refused(counted: int) -> None:
    with pytest.raises(LayerError, match=f"layer 'conv1' .Convolution. has axis = {counted}, which is the batch axis"):
        read(axis=counted).axis(3, 1)


@pytest.mark.parametrize("value", [-1, 1.5, "3", True])
def test_a_whole_number_is_wanted(value: Any) -> None:
    with pytest.raises(LayerError, match=f"has group = {value!r}, want a whole number of at least 1"):
        read(group=value).whole("group", 1, least=1)


def test_true_or_false_is_wanted() -> None:
    with pytest.raises(LayerError, match="has bias_term = 'no', want true or false"):
        read(bias_term="no").flag("bias_term", True)


@pytest.mark.parametrize("value", ["x", float("inf"), True])
def test_a_finite_number_is_wanted(value: Any) -> None:
    with pytest.raises(LayerError, match="want a finite number"):
        read(eps=value).number("eps", 1.0)
