"""Sums of products that are rounded as if they were exact, in whatever order a library adds them.

A BLAS adds the products of a matrix multiplication in an order that depends on the number of its threads, on how many
rows there are, and on the processor. Whatever the order, the sum lies within a known distance of the exact one, its
doubt. Nearly always all numbers within this distance round to the same float32. Where they do not, the sum is computed
again from rows that are split so that most of it is exact, and the few for which even that leaves two answers exactly.

Why the doubt holds: a product is rounded once, or not at all where it is fused with an addition, and in whatever order
n numbers are added, each of them goes through n - 1 additions at most. So the error is at most n u / (1 - n u) times
the sum of the products' magnitudes, u being 2**-53 (Higham, section 3.1), which by Cauchy's inequality is no larger
than the product of the two rows' lengths. Two things make n smaller: a product that is zero because a factor is, is
exact, and to add it rounds nothing, so that n counts the others; and where products are added block by block, each goes
through the additions in its block and one for each block at most. What is left out here, terms in (n u)**2 and the
rounding of the doubt itself, is less than `BESIDE` has room for, for all n below a million. (Ways to multiply matrices
with fewer products, such as Strassen's, keep no such bound, and are not meant here.)

References
----------
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, chapters 3 and 4, doi:10.1137/1.9780898718027.
S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point summation part I", 2008, doi:10.1137/050645671 (on splitting).
T. J. Dekker, "A floating-point technique for extending the available precision", 1971, doi:10.1007/BF01397083.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

#: Largest relative error of one operation in double precision.
UNIT = 2.0**-53
#: Operations besides those of a product that a doubt has room for: adding means and doubts, and rounding what is exact.
BESIDE = 8
#: Products that are added at once, at most.
BLOCK = 512
#: Bits of a row's larger part: products of two such parts, and all sums of them, need no more than 53.
BITS = 26
#: Splits a float64 into two halves of 26 bits (Veltkamp).
SPLITTER = 2.0**27 + 1
#: Added to lengths, more than they lose where squares, and doubts where products, are too small for a float64.
SHORTEST = 2.0**-480


def products(rows: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The products (m, n) of rows (m, K) and other rows (n, K), float64, and their doubts."""
    terms = rows.shape[1]
    values: np.ndarray = np.matmul(rows[:, :BLOCK], others[:, :BLOCK].T)
    for start in range(BLOCK, terms, BLOCK):
        values += np.matmul(rows[:, start : start + BLOCK], others[:, start : start + BLOCK].T)
    roundings = min(terms, BLOCK) + -(-terms // BLOCK)
    return values, doubt(roundings, lengths(rows)[:, None], lengths(others))


def doubt(roundings: int | np.ndarray, lengths_of_rows: np.ndarray, lengths_of_others: np.ndarray) -> np.ndarray:
    """How far products of rows may lie from the exact ones, if no number goes through more roundings than this."""
    bound: np.ndarray = (roundings + BESIDE) * UNIT * lengths_of_rows * lengths_of_others
    return bound


def lengths(rows: np.ndarray) -> np.ndarray:
    """Euclidean lengths of rows (..., K), none of them zero."""
    squares = np.einsum("...k,...k->...", rows, rows, dtype=np.float64)
    return np.sqrt(squares) + SHORTEST


def finer(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Products (m,) of float64 rows (m, K), pair by pair, and their doubts, which are of a few roundings only.

    Each row is split into a part of whole multiples of a power of two, 2**-26 of the row's length or so, and what is
    left. All sums of products of the first parts are multiples of one number and, by Cauchy's inequality, no larger
    than 2**53 times it: they are exact in any order. Errors come from what is left, which is small.
    """
    (left_most, left_rest, left_length, left_grain), (right_most, right_rest, right_length, right_grain) = (
        _split(rows) for rows in (left, right)
    )
    most = np.einsum("mk,mk->m", left_most, right_most)
    rest = np.einsum("mk,mk->m", left_most, right_rest) + np.einsum("mk,mk->m", left_rest, right)
    # no value that is left is larger than half a grain; a most is no longer than twice its row
    terms = left.shape[1]
    small = math.sqrt(terms) * (left_length * right_grain + left_grain * right_length)
    values = most + rest
    return values, (terms + BESIDE) * UNIT * small + BESIDE * UNIT * np.abs(values)


def _split(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The larger part of rows (m, K) and the exact rest; the rows' lengths, and of what the part is multiples."""
    length = lengths(rows)
    grain = np.ldexp(1.0, np.frexp(length)[1] - BITS)
    shift = (1.5 * 2.0**52 * grain)[:, None]  # numbers near it are multiples of the grain
    most = rows + shift
    most -= shift
    return most, rows - most, length, grain


def between(values: np.ndarray, centres: np.ndarray, doubts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Float32 numbers next to ``values + centres``, and where within the doubts there are others; values are used up.

    Returns
    -------
    nearest : float32 array
    open : bool array
        Where the number that is next to the exact value may be another one.
    """
    values += centres - doubts  # in place: new memory took longer than the sums
    low = values.astype(np.float32)
    values += 2 * doubts
    high: np.ndarray = values.astype(np.float32)
    return high, low < high


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
