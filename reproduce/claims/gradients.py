"""What a net's gradient says of pixels: beside single pixels (claims c and e), and in place of the net (claim d)."""

from __future__ import annotations

from typing import Any

import numpy as np

from predicdiff import windows

from .study import Subject


def pixel_gradient(net: Any, pixels: np.ndarray, blob: str, unit: int) -> np.ndarray:
    """Gradient (C, H, W) of a unit with respect to pixels (C, H, W), not to the net's input.

    A net's encoding is linear in each pixel, so that one step of each colour tells what it does.
    """
    inputs = net.encode(pixels)
    gradient = np.asarray(net.gradient(inputs, blob=blob, unit=unit), np.float64)
    by_colour = np.empty_like(gradient)
    for colour in range(len(pixels)):
        stepped = np.array(pixels, np.float32)
        stepped[colour] += 1
        by_colour[colour] = (gradient * (net.encode(stepped) - inputs)).sum(axis=0)
    return by_colour


def linearised(gradient: np.ndarray, pixels: np.ndarray, origins: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """What windows would be worth (n,) were the net linear: gradient times (pixels - draws), summed, mean of the draws.

    Parameters
    ----------
    gradient, pixels : (C, H, W) arrays
    origins : (n, 2) int array
    patches : (n, S, C, k, k) array
    """
    k = patches.shape[-1]
    fallen = windows.cut(pixels, origins, window=k) - patches.mean(axis=1, dtype=np.float64)
    return np.asarray((windows.cut(gradient, origins, window=k) * fallen).sum(axis=(1, 2, 3)))


def residuals(subject: Subject, origins: np.ndarray) -> np.ndarray:
    """Single pixels (n, C) at ``origins`` less what is expected of their surroundings."""
    sampler: Any = subject.sampler("conditional", 1)
    expected = sampler.noise(subject.pixels, origins, window=1, samples=1, seed=0).means
    rows, columns = origins.T
    return np.asarray(subject.pixels[:, rows, columns].T - expected.reshape(len(origins), -1))
