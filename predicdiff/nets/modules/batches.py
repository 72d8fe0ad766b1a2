"""Made-up inputs on which a stranger's module is asked whether it draws, or mixes the images of a batch."""

from __future__ import annotations

import numpy as np

#: Why a module is dense that is asked for one image at a time.
ONE_BY_ONE = "its answer for one image depends on the others in its batch"


def noise(shape: tuple[int, int, int]) -> np.ndarray:
    """Two made-up images in pixels, (2, C, H, W) float32: noise from 0 to 255, and fainter noise."""
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *shape))
    pixels[1] = 100 + pixels[1] / 5
    return pixels.astype(np.float32)


def made_up(shape: tuple[int, int, int]) -> np.ndarray:
    """Two made-up inputs, (2, C, H, W) float32: normal noise, and such with another mean and deviation."""
    inputs = np.random.default_rng(0).normal(size=(2, *shape))
    inputs[1] = 1 + 3 * inputs[1]
    return inputs.astype(np.float32)
