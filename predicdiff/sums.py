"""Sums of products that are rounded as if they were exact, in whatever order a library adds them.

A BLAS adds the products of a matrix multiplication in an order that depends on the number of its threads, on how many
rows there are, and on the processor. Whatever the order, the sum lies within a known distance of the exact one. Nearly
always all numbers within this distance round to the same float32; where they do not, the sum is computed exactly.
"""

from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np

#: Largest relative error of one operation in double precision.
UNIT = 2.0**-53
#: Operations besides those of a product that a doubt has room for: adding means and doubts, and rounding what is exact.
BESIDE = 8
#: Splits a float64 into two halves of 26 bits (Veltkamp).
SPLITTER = 2.0**27 + 1


def doubt(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How far the products (..., m, n) of rows (..., m, K) and rows (..., n, K) may lie from the exact ones.

    By Cauchy's inequality, for the longest of the right rows: one bound (..., m) for all of these.

    References
    ----------
    N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1, doi:10.1137/1.9780898718027.
    """
    longest = lengths(right).max(axis=-1, keepdims=True, initial=0.0)
    bound: np.ndarray = (left.shape[-1] + BESIDE) * UNIT * lengths(left) * longest + np.finfo(np.float64).tiny
    return bound


def lengths(rows: np.ndarray) -> np.ndarray:
    """Euclidean lengths of rows (..., K)."""
    squares = np.einsum("...k,...k->...", rows, rows, dtype=np.float64)
    return np.sqrt(squares)


def rounded(values: np.ndarray, doubts: np.ndarray, exactly: Callable[[tuple[int, ...]], float]) -> np.ndarray:
    """Float32 numbers next to sums of which float64 ``values`` are known, each with an error of at most its doubt.

    Parameters
    ----------
    values : contiguous float64 array
        It is used up: what it holds afterwards is of no use.
    doubts : float64 array that broadcasts to ``values``
    exactly : callable
        The sum at an index of ``values``. It may be off by a few roundings in double precision, always alike, for which
        the doubts have room.
    """
    values -= doubts  # in place: new memory took longer than the sums
    low = values.astype(np.float32)
    values += 2 * doubts
    high: np.ndarray = values.astype(np.float32)
    for place in zip(*np.unravel_index(np.flatnonzero(low < high), values.shape)):
        high[place] = exactly(place)
    return high


def dot(left: np.ndarray, right: np.ndarray, *, beside: float = 0.0) -> float:
    """The exact ``beside + left @ right`` of two float64 rows (K,), rounded once."""
    products = left * right
    (left_high, left_low), (right_high, right_low) = _halves(left), _halves(right)
    # what rounding took from each product, without any error (Dekker)
    errors = (left_high * right_high - products) + left_high * right_low + left_low * right_high + left_low * right_low
    return math.fsum([beside, *products.tolist(), *errors.tolist()])


def _halves(values: np.ndarray) -> tuple[Any, Any]:
    scaled = values * SPLITTER
    high = scaled - (scaled - values)
    return high, values - high
