"""Caffe's layers as explicit loops over one image (C, H, W) in float64, straight from their definitions."""

from __future__ import annotations

from itertools import product

import numpy as np

Pair = tuple


def convolution(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: Pair, pad: Pair, dilation: Pair, group: int
) -> np.ndarray:
    """Each output is the sum over its group's channels and the kernel; what lies outside the image is 0."""
    (channels, height, width), (out, _, kh, kw) = x.shape, weight.shape
    rows = len(range(0, height + 2 * pad[0] - dilation[0] * (kh - 1), stride[0]))
    columns = len(range(0, width + 2 * pad[1] - dilation[1] * (kw - 1), stride[1]))
    result = np.zeros((out, rows, columns))
    for o, i, j in product(range(out), range(rows), range(columns)):
        first = o // (out // group) * (channels // group)
        total = bias[o]
        for c, u, v in product(range(channels // group), range(kh), range(kw)):
            row, column = i * stride[0] - pad[0] + u * dilation[0], j * stride[1] - pad[1] + v * dilation[1]
            if 0 <= row < height and 0 <= column < width:
                total += weight[o, c, u, v] * x[first + c, row, column]
        result[o, i, j] = total
    return result


def deconvolution(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: Pair, pad: Pair, dilation: Pair, group: int
) -> np.ndarray:
    """Each input adds its kernel, times its value, to its group's channels; what falls into the padding is lost."""
    (channels, height, width), (_, out, kh, kw) = x.shape, weight.shape
    rows, columns = (
        s * (n - 1) + d * (k - 1) + 1 - 2 * p for s, n, d, k, p in zip(stride, (height, width), dilation, (kh, kw), pad)
    )
    result = np.zeros((group * out, rows, columns)) + bias[:, None, None]
    for c, i, j in product(range(channels), range(height), range(width)):
        first = c // (channels // group) * out
        for o, u, v in product(range(out), range(kh), range(kw)):
            row, column = i * stride[0] - pad[0] + u * dilation[0], j * stride[1] - pad[1] + v * dilation[1]
            if 0 <= row < rows and 0 <= column < columns:
                result[first + o, row, column] += weight[c, o, u, v] * x[c, i, j]
    return result


def pooling(x: np.ndarray, method: str, kernel: Pair, stride: Pair, pad: Pair, size: Pair) -> np.ndarray:
    """Windows cut off at the image; a mean is the sum divided by the window's size within the padded image."""
    channels, height, width = x.shape
    result = np.zeros((channels, *size))
    for c, i, j in product(range(channels), range(size[0]), range(size[1])):
        top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
        bottom, right = min(top + kernel[0], height + pad[0]), min(left + kernel[1], width + pad[1])
        seen = [
            x[c, row, column]
            for row, column in product(range(top, bottom), range(left, right))
            if 0 <= row < height and 0 <= column < width
        ]
        result[c, i, j] = max(seen) if method == "MAX" else sum(seen) / ((bottom - top) * (right - left))
    return result


def lrn(x: np.ndarray, size: int, alpha: float, beta: float, k: float) -> np.ndarray:
    """Each value divided by a power of its neighbouring channels' squares."""
    result = np.zeros(x.shape)
    for c, i, j in product(*map(range, x.shape)):
        near = [x[d, i, j] ** 2 for d in range(c - size // 2, c + size // 2 + 1) if 0 <= d < len(x)]
        result[c, i, j] = x[c, i, j] / (k + alpha / size * sum(near)) ** beta
    return result


def inner_product(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, axis: int, transpose: bool) -> np.ndarray:
    """Each output is the sum over all axes from ``axis`` on, in C order."""
    matrix = weight.T if transpose else weight
    flat = x.reshape(*x.shape[:axis], -1)
    result = np.zeros((*x.shape[:axis], len(matrix)))
    for at in np.ndindex(*result.shape):
        result[at] = bias[at[-1]] + sum(w * v for w, v in zip(matrix[at[-1]], flat[at[:-1]]))
    return result
