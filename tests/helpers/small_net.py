"""A net of four layers, for what all nets have in common, whatever runs them."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.engines import net_of
from helpers.records import layer, net
from predicdiff.nets.caffe.records import NetSpec

SHAPE = (3, 6, 5)


def definition(shape: tuple[int, ...] = SHAPE) -> NetSpec:
    return net(
        shape,
        layer("Convolution", "data", "conv", num_output=4, kernel_size=[3]),
        layer("ReLU", "conv", "conv", name="relu"),
        layer("InnerProduct", "conv", "fc", num_output=3),
        layer("Softmax", "fc", "prob"),
    )


def weights(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> dict[str, list[np.ndarray]]:
    draw = np.random.default_rng(seed).standard_normal
    inside = 4 * (shape[1] - 2) * (shape[2] - 2)
    return {
        "conv": [draw((4, shape[0], 3, 3)).astype(np.float32), draw(4).astype(np.float32)],
        "fc": [draw((3, inside)).astype(np.float32) / 5, draw(3).astype(np.float32)],
    }


def make(shape: tuple[int, ...] = SHAPE, **settings: Any) -> Any:
    return net_of(definition(shape), weights(shape), **settings)


def images(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
