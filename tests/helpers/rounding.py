"""How far apart two right results in single precision may lie."""

from __future__ import annotations

from typing import Any, Iterable

import numpy as np

#: Half the distance from 1 to the next number of single precision: what one operation is off by at most, relatively.
UNIT = 2.0**-24


def float32_atol(values: Any, terms: int = 1) -> float:
    """The difference that rounding may make between two computations of the same sums.

    A sum of n products, in whatever order, is off by at most n u times the sum of their magnitudes, where u is `UNIT`
    (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 2002, section 3.1), and of errors that are
    independent by no more than 4 sqrt(n) u, but for one case in thousands (Higham and Mary, A new approach to
    probabilistic rounding error analysis, SIAM J. Sci. Comput. 41, 2019, doi:10.1137/18M1226312). Two computations are
    off by as much each. Really they are off by a fraction of that, which leaves room for products that cancel.

    Parameters
    ----------
    values : array
        The sums, or what is largest on the way to them: a difference of scores has the rounding of scores.
    terms : int
        How many products go into each; one after the other through a net's layers, see `products`.
    """
    return 2 * min(terms, 4 * terms**0.5) * UNIT * float(np.nanmax(np.abs(values)))


def products(weights: Iterable[Any]) -> int:
    """How many products a net's value sums up, layer by layer, of weights (out, in, ...)."""
    return sum(int(np.prod(weight.shape[1:])) for weight in weights)
