"""What several commands say of nets, images and results."""

from __future__ import annotations

import numpy as np
import pytest

from predicdiff.cli.options.net import NamedImage
from predicdiff.cli.summaries import seen_lines
from predicdiff.errors import ExplanationError, SettingsError
from predicdiff.protocols import Head

SHOWN = NamedImage(np.zeros((4, 6, 3), np.uint8), "x", "x")


class Flat:
    """A net that gives the same values for all images: of its output, or of blobs by their names."""

    name, input_shape = "flat", (1, 2, 3)
    labels = scores = output = None

    def __init__(self, values, **said):
        self.values = {blob: np.array(of_blob, np.float32) for blob, of_blob in values.items()}
        self.blobs = {blob: array.shape for blob, array in self.values.items()}
        vars(self).update(said)

    def view(self, image):
        return np.zeros((1, 2, 3), np.float32)

    def encode(self, pixels):
        return pixels

    def forward(self, inputs, blobs):
        return {blob: self.values[blob][None] for blob in blobs}


def told(values, count=5, **said):
    return seen_lines(Flat(values, **said), SHOWN, count)[1:]


def test_a_grey_net_is_described_as_one():
    (first, *_) = seen_lines(Flat({"fc": [1.0]}, scores="fc"), SHOWN)
    assert first == "x (4 x 6), which flat sees as 2 x 3 x 1:"


def test_scores_where_there_are_no_probabilities():
    assert told({"fc": [1.0, 3.0, 2.0, 3.0]}, 3, scores="fc") == [
        "  1  class 1  3",
        "  3  class 3  3",
        "  2  class 2  2",
    ]


def test_probabilities_that_are_all_small_are_told_apart():
    assert told({"p": [0.2, 1e-5]}, output="p") == ["  0  class 0  0.200", "  1  class 1  0.000"]
    assert told({"p": [3e-6, 1e-5]}, output="p") == ["  1  class 1  1e-05", "  0  class 0  3e-06"]


def test_one_class_is_told_as_such():
    """One sigmoid; a number that is no probability is but a unit."""
    one = [Head(None, "p", 2)]
    assert told({"p": [0.25]}, output="p", class_heads=one) == [
        "  p, one class against its absence:",
        "    0  class 0  0.250",
    ]
    assert told({"fc": [1.0]}, scores="fc") == ["  0  unit 0  1"]


def test_maps_of_classes_are_told_by_their_means():
    assert told({"fc": [[[1.0, 3.0]], [[4.0, 2.0]]]}, scores="fc", labels=["a", "b"]) == [
        "  fc, the mean over 1 x 2 places:",
        "    1  b  3",
        "    0  a  2",
    ]


def test_a_net_without_classes_shows_its_last_blob():
    assert told({"conv": [[[0.0]]], "fc": [2.0, 5.0, 1.0]}, 2) == [
        "  fc, the highest of 3 units:",
        "    1  unit 1  5",
        "    0  unit 0  2",
    ]


def test_each_output_has_a_table():
    """In the order of the blobs, in which labels go to outputs."""
    heads = [Head(None, "sex", None, None), Head(None, "age", None, ["young", "old"])]
    said = {"output": "sex", "labels": ["she", "he"], "class_heads": heads}
    assert told({"age": [0.25, 0.75], "sex": [0.5, 0.125]}, 1, **said) == [
        "  age:",
        "    1  old  0.750",
        "  sex:",
        "    0  she  0.500",
    ]


def test_nan_is_an_error():
    with pytest.raises(ExplanationError, match="gives NaN for the image itself, in 1 of 2 values of blob 'p'"):
        told({"p": [np.nan, 1.0]}, output="p")


def test_what_is_called_probabilities_and_is_none_is_an_error():
    with pytest.raises(SettingsError, match="'p' holds values from -1 to 3, which are no probabilities: want another"):
        told({"p": [-1.0, 3.0]}, output="p")
