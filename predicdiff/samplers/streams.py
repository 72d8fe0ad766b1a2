"""A random stream for every window, so that what is drawn for one never depends on which others are asked for."""

from __future__ import annotations

import operator

import numpy as np

from ..errors import SettingsError

#: What the numbers are for; streams of different purposes share none.
DRAW, FIT, CROP = range(3)


def generator(seed: int, row: int, column: int, *, purpose: int = DRAW) -> np.random.Generator:
    """The stream of random numbers of the window at ``(row, column)``.

    Philox counts: seed and purpose are its key, row and column the upper half of its counter. So streams are made in no
    time, in any order, and would meet only after 2**128 numbers. Of the generator's methods use ``random`` and
    ``standard_normal`` alone: they give the same numbers from numpy 1.19 to 2, the last bit of a rare normal excepted.

    Parameters
    ----------
    seed : int
        0 <= seed < 2**64.
    row, column : int
        Not negative.
    purpose : int
        `DRAW`, `FIT` or `CROP`.

    Raises
    ------
    SettingsError
        If the seed is out of range or no whole number.

    References
    ----------
    J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011, doi:10.1145/2063384.2063405.
    """
    key = np.array((check_seed(seed), purpose), np.uint64)
    counter = np.array((0, 0, row, column), np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))


def check_seed(seed: int) -> int:
    """The seed as an int; SettingsError if it is none, or out of range."""
    try:
        value = operator.index(seed)
    except TypeError:
        raise SettingsError(f"seed {seed!r} is no whole number: want one of 0 to 2**64 - 1.") from None
    if not 0 <= value < 2**64:
        raise SettingsError(f"seed {value} is out of range: want a whole number of 0 to 2**64 - 1.")
    return value
