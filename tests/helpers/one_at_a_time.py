"""The method as a loop that pastes one draw at a time: nothing of the package's evaluation is in it."""

from __future__ import annotations

import statistics
from itertools import product
from math import log2
from typing import Any, Callable, Sequence

import numpy as np

#: From a target's value, and that of what it is held against, to the figure whose fall is explained.
Function = Callable[[Sequence[float]], float]
#: From what windows lie on, (C, H, W), to the units' values.
Look = Callable[[np.ndarray], Sequence[float]]


def value(v: Sequence[float]) -> float:
    return v[0]


def gap(v: Sequence[float]) -> float:
    return v[0] - v[1]


def bits(n: int, k: int) -> Function:
    """Log-odds of p after Laplace's correction."""

    def function(p: Sequence[float]) -> float:
        corrected = (p[0] * n + 1) / (n + k)
        return log2(corrected / (1 - corrected))

    return function


def bits_against(n: int, k: int) -> Function:
    return lambda p: log2((p[0] * n + 1) / (p[1] * n + 1))


def starts(size: int, window: int, stride: int) -> list[int]:
    return [i for i in range(size - window + 1) if i % stride == 0 or i == size - window]


def shares(size: int, window: int, stride: int, between: str) -> list[dict[int, float]]:
    """Of each pixel along an axis, the windows that count for it, by where they start, and how much."""
    there = starts(size, window, stride)
    found = []
    for pixel in range(size):
        counts: dict[int, float] = {}
        for place in there if between == "none" else range(size - window + 1):
            if not place <= pixel < place + window:
                continue
            before, after = max(s for s in there if s <= place), min(s for s in there if s >= place)
            part = 0.0 if before == after else (place - before) / (after - before)
            for start, share in ((before, 1 - part), (after, part)):
                if share:
                    counts[start] = counts.get(start, 0.0) + share
        found.append({start: count / sum(counts.values()) for start, count in counts.items()})
    return found


def one_at_a_time(
    look: Look, ground: np.ndarray, sampler: Any, *, window: Any, samples: int, stride: int, seed: int,
    between: str = "linear", function: Function = value, population: int | None = None, channel: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Relevance and standard error (H, W) of one target, window by window and pixel by pixel.

    The units' values over the draws are averaged, then ``function`` is taken of the averages; the variance is that of
    the function's linear part, whose slopes are found by finite differences. Of a ``population`` the draws are a choice
    without repetition, as `protocols.HasPopulation` has it. ``channel`` alone is taken away, where it is given.
    """
    (height, width), (high, wide) = ground.shape[1:], np.broadcast_to(window, 2)
    values: dict[tuple[int, int], float] = {}
    variances: dict[tuple[int, int], float] = {}
    channels = slice(None) if channel is None else channel
    before = function(look(ground))
    for row in starts(height, high, stride):
        for column in starts(width, wide, stride):
            draws = sampler.draw(ground, np.array([[row, column]]), window=window, samples=samples, seed=seed)[0]
            seen = []
            for draw in draws:
                changed = ground.copy()
                changed[channels, row : row + high, column : column + wide] = draw[channels]
                seen.append(look(changed))
            mean = [statistics.fmean(one) for one in zip(*seen)]
            error = _variance(function, mean, seen, population)
            values[row, column], variances[row, column] = before - function(mean), error
    relevance, stderr = np.empty((height, width)), np.empty((height, width))
    rows, columns = shares(height, high, stride, between), shares(width, wide, stride, between)
    for r, c in product(range(height), range(width)):
        counts = {(row, col): rows[r][row] * columns[c][col] for row in rows[r] for col in columns[c]}
        relevance[r, c] = sum(count * values[at] for at, count in counts.items())
        stderr[r, c] = sum(count**2 * variances[at] for at, count in counts.items()) ** 0.5
    return relevance, stderr


def _variance(function: Function, mean: list[float], seen: Sequence[Sequence[float]], population: int | None) -> float:
    """Of the function of the mean over a window's draws."""
    if population is not None and len(seen) >= population:
        return 0.0
    if len(seen) < 2:
        return float("nan")
    slopes = []
    for i in range(len(mean)):
        step = 1e-6 * max(abs(mean[i]), 1e-3)
        up, down = list(mean), list(mean)
        up[i] += step
        down[i] -= step
        slopes.append((function(up) - function(down)) / (2 * step))
    influence = [sum(s * v for s, v in zip(slopes, one)) for one in seen]
    return statistics.variance(influence) / len(seen) * (1 if population is None else 1 - len(seen) / population)
