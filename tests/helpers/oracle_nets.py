"""Nets in plain NumPy, simple enough to be checked by hand: what the method is held against.

Each has all of `protocols.Net`; patches are set into copies of the image.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from predicdiff.algorithm import run
from predicdiff.errors import OutOfMemoryError
from predicdiff.explanation import Explanation
from predicdiff.plan import Analysis, make_plan
from predicdiff.settings import Settings


class NumpyNet:
    """A net whose blobs are `compute`d from a batch of inputs.

    Attributes
    ----------
    batches : list of int
        Sizes of the batches that `evaluate` computed.
    calls : list of int
        Windows in each call of `evaluate`.
    room : int or None
        A larger batch does not fit into memory.
    """

    name = "numpy"
    labels: Any = None
    training_instances = 10_000
    scores: Any = "scores"
    output: Any = "prob"
    room: Any = None

    def __init__(self, input_shape: tuple[int, int, int], dtype: Any = np.float64) -> None:
        self.input_shape = input_shape
        self.dtype = dtype
        self.batches: list[int] = []
        self.calls: list[int] = []

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        raise NotImplementedError

    @property
    def blobs(self) -> dict[str, tuple[int, ...]]:
        return {name: blob.shape[1:] for name, blob in self.compute(np.zeros((1, *self.input_shape))).items()}

    @property
    def provenance(self) -> dict[str, Any]:
        return {"engine": self.name}

    def view(self, image: np.ndarray) -> np.ndarray:
        return np.array(image.transpose(2, 0, 1), np.float32)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        return np.array(pixels, np.float32)

    def forward(self, inputs: np.ndarray, blobs: Sequence[str]) -> dict[str, np.ndarray]:
        values = self.compute(np.asarray(inputs, self.dtype))
        return {blob: values[blob].astype(np.float32) for blob in blobs}

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: Any) -> np.ndarray:
        raise NotImplementedError

    def evaluate(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        patches: np.ndarray,
        *,
        blob: str,
        units: Sequence[tuple[int, ...]],
        batch_size: int,
    ) -> np.ndarray:
        self.calls.append(len(origins))
        images = np.tile(pixels, (*patches.shape[:2], 1, 1, 1))
        high, wide = patches.shape[-2:]
        for image, (row, column), draws in zip(images, origins, patches):
            image[:, :, row : row + high, column : column + wide] = draws
        inputs = self.encode(images.reshape(-1, *pixels.shape))
        parts = []
        for start in range(0, len(inputs), batch_size):
            batch: Any = np.asarray(inputs[start : start + batch_size], self.dtype)
            if self.room is not None and len(batch) > self.room:
                raise OutOfMemoryError(f"no room for {len(batch)}")
            self.batches.append(len(batch))
            values: Any = self.compute(batch)[blob]
            parts.append([values[(slice(None), *unit)].reshape(len(batch), -1).mean(axis=1) for unit in units])
        return np.concatenate(parts, axis=1).T.reshape(*patches.shape[:2], len(units)).astype(np.float64)

    def bytes_per_input(self, blob: str) -> int:
        return 1000


class LinearNet(NumpyNet):
    """``scores = w . x + b``, ``prob`` their softmax."""

    def __init__(self, weights: np.ndarray, bias: Any = 0.0, dtype: Any = np.float64) -> None:
        super().__init__(weights.shape[1:], dtype)
        self.weights = np.asarray(weights, dtype)
        self.bias = np.asarray(bias, dtype)

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        flat = self.weights.reshape(len(self.weights), -1)
        scores = inputs.reshape(len(inputs), -1) @ flat.T + self.bias
        return {"data": inputs, "scores": scores, "prob": softmax(scores)}


class MapNet(NumpyNet):
    """A 3 x 3 correlation to three maps, rectified; four ``scores`` linear in them, ``prob`` their softmax.

    The smaller ``gain``, the less sure of its class the net is, and the nearer to linear.
    """

    def __init__(
        self, input_shape: tuple[int, int, int], *, seed: int = 0, gain: float = 1.0, dtype: Any = np.float64
    ) -> None:
        super().__init__(input_shape, dtype)
        rng = np.random.default_rng(seed)
        self.kernels = rng.normal(0, 0.02, (3, input_shape[0], 3, 3)).astype(dtype)
        size = 3 * (input_shape[1] - 2) * (input_shape[2] - 2)
        self.heads = rng.normal(0, gain / np.sqrt(size), (4, size)).astype(dtype)

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        height, width = inputs.shape[2] - 2, inputs.shape[3] - 2
        shifted = [inputs[:, :, r : r + height, c : c + width] for r in range(3) for c in range(3)]
        stacked = np.stack(shifted, axis=2).reshape(len(inputs), -1, height * width)
        maps = np.maximum(self.kernels.reshape(3, -1) @ stacked, 0).reshape(-1, 3, height, width)
        scores = maps.reshape(len(inputs), -1) @ self.heads.T
        return {"maps": maps, "scores": scores, "prob": softmax(scores)}


class NormalSampler:
    """Independent normal pixels of standard deviation 40 around 128, whatever the image; has ``draw`` and no more."""

    def draw(self, pixels: np.ndarray, origins: np.ndarray, *, window: int, samples: int, seed: int) -> np.ndarray:
        shape = (samples, pixels.shape[0], *np.broadcast_to(window, 2))
        draws = [np.random.default_rng([seed, int(r), int(c)]).normal(128, 40, shape) for r, c in origins]
        return np.array(draws, np.float32).reshape(len(origins), *shape)


def analysis(net: Any, image: np.ndarray, sampler: Any, **settings: Any) -> Analysis:
    """What `explain` would run with these settings; what the trial of the net took is not counted."""
    planned = make_plan(net, image, Settings(**settings)).with_sampler(sampler)
    if isinstance(net, NumpyNet):
        net.calls.clear()
        net.batches.clear()
    return planned


def explained(net: Any, image: np.ndarray, sampler: Any, **asked: Any) -> Explanation:
    """As `explain`; what the trial of the net took is not counted."""
    running = {name: asked.pop(name) for name in ("memory", "batch_size", "progress", "checkpoint") if name in asked}
    return run(analysis(net, image, sampler, **{"stride": 1, **asked}), **running)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def photo(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Some pixels, 0..255."""
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
