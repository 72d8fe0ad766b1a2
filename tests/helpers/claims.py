"""What claims are measured on in tests: made photographs before nets in plain NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from helpers.oracle_nets import LinearNet, NumpyNet, photo, softmax

SHAPE = (3, 16, 14)


class SlopedNet(LinearNet):
    """A linear net that knows its gradient."""

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: Any) -> np.ndarray:
        return np.array(self.weights[unit], np.float32)


class ProductNet(NumpyNet):
    """Each score is a sum over pixels of how far the red of neighbours is from grey, multiplied: far from additive."""

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        away = (inputs[:, 0] - 128) / 128
        products = away[:, :, 1:] * away[:, :, :-1]
        scores = np.stack([products[:, :, start::2].sum(axis=(1, 2)) for start in (0, 1)], axis=1)
        return {"scores": scores, "prob": softmax(scores)}

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: Any) -> np.ndarray:
        gradient = np.zeros(inputs.shape, np.float32)
        away = (inputs[0] - 128) / 128
        left = np.arange(unit, away.shape[1] - 1, 2)
        gradient[0][:, left] += away[:, left + 1] / 128
        gradient[0][:, left + 1] += away[:, left] / 128
        return gradient


def linear_net(seed: int = 0, classes: int = 4) -> SlopedNet:
    return SlopedNet(np.random.default_rng(seed).normal(0, 1e-3, (classes, *SHAPE)))


def study(studies: Any, net: Any, folder: Path, title: str = "numpy") -> Any:
    """A net before two photographs, and a corpus of twelve others; ``studies`` is the module of `Study`."""
    shape = net.input_shape
    corpus = np.stack([photo(shape, seed) for seed in range(10, 22)])
    odd = np.arange(len(corpus)) % 2 == 1
    photographs = [studies.Photograph(f"photo {seed}", photo(shape, seed), 1, 0.5, corpus, odd) for seed in (1, 2)]
    return studies.Study(title, net, photographs, folder)
