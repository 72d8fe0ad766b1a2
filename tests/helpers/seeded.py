"""Weights and inputs of the recorded Caffe passes, drawn again from their seed."""

from __future__ import annotations

import zlib

import numpy as np

MEAN_BGR = np.array([104.0, 117.0, 123.0], np.float32)

#: Layers that read raw pixels: their weights are 60 times smaller, so that activations stay near 1.
FIRST_LAYERS = ("conv1", "conv1/7x7_s2", "conv1_1")


def weights(layer: str, shapes: tuple[tuple[int, ...], ...], seed: int = 0) -> list[np.ndarray]:
    """Normal numbers: weights scaled as He et al. do, biases with a standard deviation of 0.01."""
    generator = np.random.default_rng([seed, zlib.crc32(layer.encode())])
    blobs = []
    for i, shape in enumerate(shapes):
        blob = generator.standard_normal(shape).astype(np.float32)
        spread = 0.01 if i else np.sqrt(2.0 / np.prod(shape[1:])) / (60.0 if layer in FIRST_LAYERS else 1.0)
        blob *= np.float32(spread)
        blobs.append(blob)
    return blobs


def crop(image: np.ndarray, size: int) -> np.ndarray:
    """The centre of an RGB image (H, W, 3) as an input (3, size, size): BGR, less the mean."""
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    bgr = image[top : top + size, left : left + size, ::-1].astype(np.float32)
    return np.ascontiguousarray((bgr - MEAN_BGR).transpose(2, 0, 1))


def probe(name: str, size: int, count: int = 512) -> np.ndarray:
    """Which values of a blob of ``size`` elements were recorded."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return np.sort(generator.choice(size, min(size, count), replace=False))
