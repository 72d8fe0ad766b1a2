"""The method against what it should give: a closed form, quadrature, the authors' own run.

Every seed is fixed, and every bound is at least five standard deviations of what it bounds, so that a correct program
passes whatever the seed; what a wrong one would give is said where it is bounded.
"""

from __future__ import annotations

import numpy as np
import pytest
from helpers.engines import tiny_net
from helpers.oracle_nets import LinearNet, photo
from helpers.places import DATA

from predicdiff.algorithm import explain
from predicdiff.samplers.gaussian import GaussianSampler


def gaussian(channels: int, context: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of correlated patches, all directions and colours different."""
    rng = np.random.default_rng(seed)
    size = channels * context**2
    mixing = rng.normal(0, 1, (size, size)) / np.sqrt(size) + 0.5 * np.eye(size)
    return rng.uniform(80, 170, (channels, context, context)), 900.0 * mixing @ mixing.T


def conditionals(
    image: np.ndarray, mean: np.ndarray, covariance: np.ndarray, window: int
) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """Mean and covariance of every window given the rest of its context, by the precision matrix.

    The context is centred on the window (an odd pixel below and to the right), as far as the border allows.
    """
    context = mean.shape[-1]
    precision = np.linalg.inv(covariance)
    laws = {}
    for row in range(image.shape[1] - window + 1):
        for column in range(image.shape[2] - window + 1):
            top = min(max(row - (context - window) // 2, 0), image.shape[1] - context)
            left = min(max(column - (context - window) // 2, 0), image.shape[2] - context)
            inside = np.zeros_like(mean, bool)
            inside[:, row - top : row - top + window, column - left : column - left + window] = True
            w, r = np.flatnonzero(inside), np.flatnonzero(~inside)
            away = (image[:, top : top + context, left : left + context] - mean).ravel()[r]
            spread = np.linalg.inv(precision[np.ix_(w, w)])
            laws[row, column] = (mean.ravel()[w] - spread @ precision[np.ix_(w, r)] @ away, spread)
    return laws


def pixelwise(
    values: dict[tuple[int, int], float], shape: tuple[int, int], window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the windows' values over each pixel, and how many they are."""
    total, count = np.zeros(shape), np.zeros(shape)
    for (row, column), value in values.items():
        for r in range(row, row + window):
            for c in range(column, column + window):
                total[r, c] += value
                count[r, c] += 1
    return total, count


@pytest.mark.parametrize(("window", "context"), [(1, 3), (2, 5), (3, 5), (3, 3)])
def test_a_linear_net_on_gaussian_pixels_has_a_closed_form(window: int, context: int) -> None:
    """Activation difference is w . (x_w - E[x_w | the rest]); its estimate is normal with the variance w' Cov w / S."""
    samples, shape = 1500, (2, 6, 8)
    weights = np.random.default_rng(1).normal(0, 1, (2, *shape))
    mean, covariance = gaussian(2, context, 2)
    image = photo(shape, 3)
    result = explain(
        LinearNet(weights), image, GaussianSampler(mean, covariance, clip=None), window=window, samples=samples,
        blob="scores", units=[1],
    )  # fmt: skip
    wanted, variance = {}, {}
    for (row, column), (centre, spread) in conditionals(image, mean, covariance, window).items():
        part = (slice(None), slice(row, row + window), slice(column, column + window))
        w = weights[1][part].ravel()
        wanted[row, column] = float(w @ (image[part].ravel() - centre))
        variance[row, column] = float(w @ spread @ w) / samples
    total, count = pixelwise(wanted, shape[1:], window)
    error = np.sqrt(pixelwise(variance, shape[1:], window)[0]) / count
    z = (result.relevance[0] - total / count) / error
    assert np.abs(z).max() < 5.5  # 48 normal numbers; windows transposed or shifted by one give hundreds
    # a standard deviation estimated from 1500 draws is within 1.8 % of the truth, one in a million is 9 % off
    np.testing.assert_allclose(result.stderr[0], error, rtol=0.1)


def test_a_logistic_net_by_quadrature() -> None:
    """The scores' difference d is normal: E[p] and Var[p] are integrals of the logistic function over one dimension."""
    samples, window, shape, N = 2000, 2, (2, 5, 7), 10_000
    weights = np.random.default_rng(4).normal(0, 1, (2, *shape)) * np.array([0.0, 0.012])[:, None, None, None]
    image = photo(shape, 5)
    bias = -float(np.sum(weights[1] * image))  # the untouched image is undecided: p = 1/2
    mean, covariance = gaussian(2, 4, 6)
    result = explain(
        LinearNet(weights, [0.0, bias]), image, GaussianSampler(mean, covariance, clip=None), window=window,
        samples=samples, units=[1],
    )  # fmt: skip
    nodes, shares = np.polynomial.hermite_e.hermegauss(100)
    shares = shares / shares.sum()
    wanted, variance, bent = {}, {}, []
    for (row, column), (centre, spread) in conditionals(image, mean, covariance, window).items():
        part = (slice(None), slice(row, row + window), slice(column, column + window))
        w = weights[1][part].ravel()
        d = w @ (centre - image[part].ravel()) + np.sqrt(w @ spread @ w) * nodes
        p = 1 / (1 + np.exp(-d))
        expected = shares @ p
        noise = np.sqrt(shares @ (p - expected) ** 2 / samples)
        corrected = (expected * N + 1) / (N + 2)
        wanted[row, column] = -np.log2(corrected / (1 - corrected))
        variance[row, column] = (noise / (np.log(2) * corrected * (1 - corrected))) ** 2
        bent.append(abs(wanted[row, column] + shares @ d / np.log(2)))
    total, count = pixelwise(wanted, shape[1:], window)
    error = np.sqrt(pixelwise(variance, shape[1:], window)[0]) / count
    z = (result.relevance[0] - total / count) / error
    assert np.abs(z).max() < 5.5  # 35 numbers, normal but for 1 / sqrt(S)
    assert np.max(bent) > 10 * error.max()  # so that the mean of the log-odds would be seen
    np.testing.assert_allclose(result.stderr[0], error, rtol=0.1)


class Replay:
    """Gives the draws of a recorded run, (rows, columns, S, C, k, k)."""

    def __init__(self, samples: np.ndarray) -> None:
        self.samples = samples

    def draw(self, pixels: np.ndarray, origins: np.ndarray, *, window: int, samples: int, seed: int) -> np.ndarray:
        return self.samples[origins[:, 0], origins[:, 1], :samples]


@pytest.mark.parametrize("blob", ["fc", "prob"])
@pytest.mark.parametrize("run", ["authors_marginal.npz", "authors_conditional.npz"])
def test_the_authors_own_run(run: str, blob: str) -> None:
    """Fed with their draws, the same maps, but for their float16 and for the window that they count twice."""
    net = tiny_net()
    with np.load(DATA / run) as file:
        data = {name: file[name] for name in file.files}
    result = explain(
        net, data["image"], Replay(data["samples"]), window=int(data["window"]), samples=6, blob=blob,
        units=range(5), training_instances=100_000,
    )  # fmt: skip
    wanted = data[f"rel:{blob}"].astype(np.float64).transpose(2, 0, 1)
    undone = without_the_double_count(wanted, row=20, column=0, window=4)
    np.testing.assert_allclose(result.relevance, undone, rtol=0, atol=1e-3)
    assert np.abs(wanted - undone).max() > 1e-3, "the double count is more than the tolerance"


def without_the_double_count(theirs: np.ndarray, *, row: int, column: int, window: int) -> np.ndarray:
    """Take the second entry of a window out of means over windows at stride 1.

    Its value is read off the corner of the image, which no other window holds: the mean of it and itself.
    """
    undone = theirs.copy()
    height, width = theirs.shape[1:]
    value = theirs[:, height - 1, column]
    for r in range(row, row + window):
        for c in range(column, column + window):
            rows = len([i for i in range(height - window + 1) if i <= r < i + window])
            columns = len([i for i in range(width - window + 1) if i <= c < i + window])
            count = rows * columns
            undone[:, r, c] = ((count + 1) * theirs[:, r, c] - value) / count
    return undone
