"""A map of noise, which any other method has to beat."""

from __future__ import annotations

import hashlib

import numpy as np

from ..protocols import Net, Unit
from .method import Method


def noise(net: Net, pixels: np.ndarray, unit: Unit, seed: int) -> np.ndarray:
    """A map (H, W) of uniform noise, another one for each picture and seed."""
    digest = hashlib.sha1(np.ascontiguousarray(pixels).tobytes()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")]).random(pixels.shape[1:])


METHOD = Method("random", noise)
