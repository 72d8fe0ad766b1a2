"""Which layers stand for the paper's in each net, and which of their maps are shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from predicdiff.errors import SettingsError

#: Early, middle, late, all of them behind their ReLU; for GoogLeNet the paper's. Where a net has maps of the sizes of
#: GoogLeNet's, they are taken.
LAYERS = {
    "googlenet": ("conv1/7x7_s2", "inception_3a/output", "inception_5b/output"),
    "squeezenet1.1": ("conv1", "fire4/concat", "fire9/concat"),
    "alexnet": ("conv1", "conv3", "conv5"),
    "vgg16": ("conv1_2", "conv3_3", "conv5_3"),
    "efficientnet_lite0": ("stem", "blocks.4.expand", "head"),
}
#: Maps of a net's middle layer that the paper's version of 2017 shows in figure 6.
PAPER_MAPS = {"googlenet": (109, 185, 52)}
#: What stands above the maps chosen.
RANKS = ("first map", "second map", "third map", "fourth map")


def layers(net: Any) -> tuple[str, str, str]:
    """An early, a middle and a late layer; of a net that is not listed the first, middle and last that has maps."""
    if net.name in LAYERS:
        return LAYERS[net.name]
    inside = [name for name, shape in net.blobs.items() if len(shape) == 3 and shape != tuple(net.input_shape)]
    if not inside:
        raise SettingsError(f"net {net.name!r} has no feature maps to show: want a net with convolutions.")
    return inside[0], inside[len(inside) // 2], inside[-1]


def mean_activations(net: Any, image: np.ndarray, layer: str) -> np.ndarray:
    """Each map's mean activation (C,) for an image."""
    activations = net.forward(net.encode(net.view(image))[None], [layer])[layer][0]
    means: np.ndarray = activations.mean(axis=(1, 2), dtype=np.float64)
    return means


def highest(values: np.ndarray) -> list[int]:
    """The maps with the highest values, as many as are shown, the highest first."""
    return [int(channel) for channel in np.argsort(-values, kind="stable")[: len(RANKS)]]
