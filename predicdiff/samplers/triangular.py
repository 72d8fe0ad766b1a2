"""Triangular factors, computed in an order of their own: the same numbers whatever the number of threads.

LAPACK and BLAS share their work out among threads, and add in another order for another number of them. `numpy.einsum`,
unless it is told to optimize, adds in loops of its own by one thread.
"""

from __future__ import annotations

import numpy as np

#: Rows that are computed from all rows before them at once.
BLOCK = 32


def upper_factor(matrix: np.ndarray) -> np.ndarray | None:
    """The upper triangular U (D, D) with ``U.T @ U`` equal to a symmetric matrix; None if that has none.

    It has one if it is positive definite, rounding apart.
    """
    factor = np.zeros_like(matrix)
    for start in range(0, len(matrix), BLOCK):
        rows = slice(start, start + BLOCK)
        block = matrix[rows, start:] - _products(factor[:start, rows].T, factor[:start, start:])
        for row, values in enumerate(block):
            values[row:] -= _products(block[None, :row, row], block[:row, row:])[0]
            if not values[row] > 0:
                return None
            values[row:] /= np.sqrt(values[row])
            values[:row] = 0.0
        factor[rows, start:] = block
    return factor


def solved(upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """X (D, m) with ``upper @ X`` equal to the right side, for an upper triangular matrix (D, D)."""
    found = np.zeros_like(right)
    for start in reversed(range(0, len(upper), BLOCK)):
        rows, after = slice(start, start + BLOCK), min(start + BLOCK, len(upper))
        block = right[rows] - _products(upper[rows, after:], found[after:])
        for row in reversed(range(len(block))):
            own = upper[start + row, start + row : after]
            block[row] = (block[row] - _products(own[None, 1:], block[row + 1 :])[0]) / own[0]
        found[rows] = block
    return found


def largest_eigenvalue(matrix: np.ndarray, start: np.ndarray, *, steps: int = 30) -> float:
    """Of a positive semidefinite matrix (D, D), by the power method from a vector (D,): good to a few per cent."""
    vector, value = start, 0.0
    for _ in range(steps):
        turned = np.einsum("ij,j->i", matrix, vector)
        length = float(np.sqrt(np.einsum("i,i->", turned, turned)))
        if not length > 0:
            break
        value, vector = length / float(np.sqrt(np.einsum("i,i->", vector, vector))), turned / length
    return value


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left @ right`` of matrices (m, K) and (K, n)."""
    product: np.ndarray = np.einsum("mk,kn->mn", left, right, optimize=False)
    return product
