"""Which functions a value needs, which values it changes, and after which function a value may be freed.

Of anything whose values are numbered and whose functions stand in an order in which they can be run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Sequence, Tuple

#: The values that a function reads, and those that it writes.
Move = Tuple[Sequence[int], Sequence[int]]


def needed(moves: Sequence[Move], wanted: Iterable[int]) -> list[int]:
    """Indices of the functions that ``wanted`` values depend on, in order."""
    values, indices = set(wanted), []
    for i in reversed(range(len(moves))):
        reads, writes = moves[i]
        if values.intersection(writes):
            values.update(reads)
            indices.append(i)
    return indices[::-1]


def downstream(moves: Iterable[Move], start: int) -> set[int]:
    """The value ``start``, and every value that depends on it."""
    seen = {start}
    for reads, writes in moves:
        if seen.intersection(reads):
            seen.update(writes)
    return seen


def last_uses(moves: Sequence[Move]) -> dict[int, int]:
    """For each value the index of the last function that reads it, or of the one that writes it if none does."""
    return {value: i for i, (reads, writes) in enumerate(moves) for value in (*reads, *writes)}


def freed(moves: Sequence[Move], wanted: Iterable[int]) -> list[list[int]]:
    """For each function the values that nothing after it reads, ``wanted`` values excepted."""
    keep = set(wanted)
    gone: list[list[int]] = [[] for _ in moves]
    for value, i in last_uses(moves).items():
        if value not in keep:
            gone[i].append(value)
    return gone
