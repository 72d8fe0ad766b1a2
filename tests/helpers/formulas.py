"""Layers that a formula says all of, with what they make of `X`; for every engine."""

from __future__ import annotations

import numpy as np

from helpers.records import layer


def draw(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X = draw((2, 3, 2, 2), 7).astype(np.float64)
FORMULAS = {
    "relu": (layer("ReLU", "data", "top"), np.where(X > 0, X, 0)),
    "relu with slope": (layer("ReLU", "data", "top", negative_slope=0.1), np.where(X > 0, X, 0.1 * X)),
    "dropout": (layer("Dropout", "data", "top", dropout_ratio=0.5), X),
    "sigmoid": (layer("Sigmoid", "data", "top"), 1 / (1 + np.exp(-X))),
    "tanh": (layer("TanH", "data", "top"), np.tanh(X)),
    "elu": (layer("ELU", "data", "top", alpha=0.5), np.where(X > 0, X, 0.5 * (np.exp(X) - 1))),
    "power": (layer("Power", "data", "top", power=2.0, scale=0.5, shift=3.0), (3 + 0.5 * X) ** 2),
    "power 1": (layer("Power", "data", "top", scale=0.5, shift=3.0), 3 + 0.5 * X),
    "power 0": (layer("Power", "data", "top", power=0.0), np.ones_like(X)),
    "power of a constant": (layer("Power", "data", "top", power=3.0, scale=0.0, shift=2.0), np.full_like(X, 8)),
    "sum": (layer("Eltwise", "data data", "top"), 2 * X),
    "weighted sum": (layer("Eltwise", "data data data", "top", coeff=[0.5, -2.0, 4.0]), 2.5 * X),
    "product": (layer("Eltwise", "data data data", "top", operation="PROD"), X**3),
    "maximum": (layer("Eltwise", "data data data", "top", operation="MAX"), X),
    "flatten": (layer("Flatten", "data", "top"), X.reshape(2, 12)),
    "reshape": (layer("Reshape", "data", "top", shape={"dim": [0, 2, -1]}), X.reshape(2, 2, 6)),
    "softmax": (layer("Softmax", "data", "top"), np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    "softmax of rows": (layer("Softmax", "data", "top", axis=-1), np.exp(X) / np.exp(X).sum(3, keepdims=True)),
    "concat": (layer("Concat", "data data", "top"), np.concatenate([X, X], 1)),
    "concat of columns": (layer("Concat", "data data data", "top", axis=-1), np.concatenate([X, X, X], 3)),
}

A, B, ROW = draw((3,), 8), draw((3,), 9), draw((2, 2), 10)
WITH_WEIGHTS = {
    "scale": (layer("Scale", "data", "top"), [A], X * A[:, None, None]),
    "scale and bias": (
        layer("Scale", "data", "top", bias_term=True), [A, B], X * A[:, None, None] + B[:, None, None],
    ),
    "scale of rows and columns": (layer("Scale", "data", "top", axis=2, num_axes=-1), [ROW], X * ROW),
    "scale of columns": (layer("Scale", "data", "top", axis=-1), [ROW[0]], X * ROW[0]),
    "scale of all": (layer("Scale", "data", "top", num_axes=0), [np.float32(3)], 3 * X),
    "bias": (layer("Bias", "data", "top"), [A], X + A[:, None, None]),
    "prelu": (layer("PReLU", "data", "top"), [A], np.where(X > 0, X, A[:, None, None] * X)),
    "shared prelu": (layer("PReLU", "data", "top", channel_shared=True), [A[:1]], np.where(X > 0, X, A[0] * X)),
    "batch norm": (
        layer("BatchNorm", "data", "top", eps=0.1), [A, B**2, np.array([4.0])],
        (X - A[:, None, None] / 4) / np.sqrt(B[:, None, None] ** 2 / 4 + 0.1),
    ),
    "batch norm, factor 0": (
        layer("BatchNorm", "data", "top"), [A, B**2, np.array([0.0])],
        X / np.sqrt(1e-5),
    ),
}  # fmt: skip
