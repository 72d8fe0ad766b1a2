"""What several commands say of nets, images and results."""

from __future__ import annotations

import numpy as np

from predicdiff.cli.options.net import NamedImage
from predicdiff.cli.summaries import seen_lines, top_classes


class Scores:
    """A net that gives the same values for all images."""

    name, input_shape = "flat", (1, 2, 3)
    labels = output = None

    def __init__(self, scores, values):
        self.scores, self.values = scores, np.array(values, np.float32)

    def view(self, image):
        return np.zeros((1, 2, 3), np.float32)

    def encode(self, pixels):
        return pixels

    def forward(self, inputs, blobs):
        return dict.fromkeys(blobs, self.values[None])


def test_nets_without_probabilities_or_labels():
    image = np.zeros((2, 3, 3), np.uint8)
    classes = top_classes(Scores("fc", [1.0, 3.0, 2.0, 3.0]), image, 3)
    assert classes == [(1, "class 1", 3.0), (3, "class 3", 3.0), (2, "class 2", 2.0)]
    assert top_classes(Scores(None, []), image, 3) == []
    maps = Scores("fc", [[[1.0, 3.0]], [[4.0, 2.0]]])
    assert top_classes(maps, image, 9) == [(1, "class 1", 3.0), (0, "class 0", 2.0)]


def test_a_grey_net_is_described_as_one():
    (first, *_) = seen_lines(Scores("fc", [1.0]), NamedImage(np.zeros((4, 6, 3), np.uint8), "x"))
    assert first == "x, a cat that scikit-image brings (4 x 6), which flat sees as 2 x 3 x 1:"
