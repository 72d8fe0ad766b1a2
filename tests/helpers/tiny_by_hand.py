"""The tiny Caffe net of tests/data in NumPy and double precision, straight from the definitions of its layers."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from helpers.places import DATA
from predicdiff.nets.caffe.caffemodel import read_caffemodel

WEIGHTS = {
    name: [np.asarray(array, np.float64) for array in arrays]
    for name, arrays in read_caffemodel(DATA / "tiny_v2.caffemodel").items()
}


def tiny_blobs(inputs: np.ndarray, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All blobs of one input (3, 24, 24); those that are ``given`` are taken as they are."""
    blobs: dict[str, np.ndarray] = {}

    def put(name: str, values: np.ndarray) -> np.ndarray:
        blobs[name] = np.asarray(given.get(name, values), np.float64).reshape(values.shape)
        return blobs[name]

    x = put("data", np.asarray(inputs, np.float64))
    x = put("conv1", np.maximum(_convolved(x, *WEIGHTS["conv1"], stride=2), 0))
    squares = np.pad(x**2, ((1, 1), (0, 0), (0, 0)))
    x = put("norm1", x / (1 + 0.05 / 3 * (squares[:-2] + squares[1:-1] + squares[2:])) ** 0.75)
    # 10 x 10 places and a last window that reaches over the border by one
    x = put("pool1", _windows(_padded(x, (0, 1), -np.inf), 3, 2).max((-2, -1)))
    weight, bias = WEIGHTS["conv2a"]
    halves = [_convolved(_padded(x[4 * i :][:4], (1, 1)), weight[3 * i :][:3], bias[3 * i :][:3]) for i in range(2)]
    put("conv2a", np.concatenate(halves))
    put("conv2b", _convolved(x, *WEIGHTS["conv2b"]))
    x = put("cat", np.concatenate([blobs["conv2a"], blobs["conv2b"]]))
    x = put("pool2", _windows(_padded(x, (1, 1)), 3, 2).mean((-2, -1)))
    weight, bias = WEIGHTS["fc"]
    x = put("fc", weight @ x.ravel() + bias)
    powers = np.exp(x - x.max())
    put("prob", powers / powers.sum())
    return blobs


def _padded(x: np.ndarray, sides: tuple[int, int], value: float = 0.0) -> np.ndarray:
    return np.pad(x, ((0, 0), sides, sides), constant_values=value)


def _windows(x: np.ndarray, size: int, stride: int = 1) -> np.ndarray:
    """(C, H, W) -> (C, rows, columns, size, size)."""
    places = (x.shape[1] - size) // stride + 1
    channel, row, column = x.strides
    steps = (channel, stride * row, stride * column, row, column)
    return np.lib.stride_tricks.as_strided(x, (len(x), places, places, size, size), steps, writeable=False)


def _convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1) -> np.ndarray:
    windows = _windows(x, weight.shape[-1], stride)
    return np.tensordot(weight, windows, ((1, 2, 3), (0, 3, 4))) + bias[:, None, None]
