"""Whether a net answers alike however it is asked: twice, alone or among others, by `evaluate` or by `forward`.

Of a net that does not, a map can look right and be wrong. Two answers are never the same to the bit, since a computer
adds in another order for another batch. What is more than `ROUNDING` of the largest value is asked once more in
float64, where rounding is a billion times smaller and a real difference stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Tuple

import numpy as np

from .abilities import net_abilities
from .errors import OutOfMemoryError
from .protocols import Net

#: By how much two answers may differ without a further look, as a part of the largest value.
ROUNDING = 1e-5
#: What float64 leaves, at most, of a difference that is rounding. A net that computes some of its steps in float32
#: whatever it is given keeps the rounding of these.
LEFT = 0.1
#: Where there is no float64: by how much a second answer may differ from the first, as a part of the largest value.
AGAIN = 1e-4
#: And of answers alone and together: how many times the effect of an input's own rounding is taken for rounding.
WOBBLE = 32
#: The rounding of an input that `WOBBLE` speaks of, as a part of its values.
NUDGE = 2.0**-20
#: By how much `evaluate` and `forward` may differ: as a part of the largest change, and of the largest value.
CHANGES, VALUES = 0.01, 1e-4
#: What rounding to fewer bits makes of the latter, by `protocols.PRECISIONS`: a hundred times their unit.
LESS_PRECISE = {"tf32": 0.05, "bfloat16": 0.4}

#: Inputs (b, C, H, W) -> values (b, ...) of one blob.
Forward = Callable[[np.ndarray], np.ndarray]
#: Two answers (b, ...) that should be the same.
Answers = Tuple[np.ndarray, np.ndarray]
#: Asks any one way to compute for both.
Question = Callable[[Forward, np.ndarray], Answers]


@dataclass(frozen=True)
class Comparison:
    """What came of asking for the same inputs twice together, and alone.

    Attributes
    ----------
    values : (b, ...) float64 array
        Answers for the inputs, each alone.
    varies : float
        By how much answers differ from one time to the next; 0 where rounding explains it.
    mixed : float
        The same, of those that were asked for alone and together; 0 too of a net that varies, where it can't be told.
    """

    values: np.ndarray
    varies: float
    mixed: float


def compare(net: Net, inputs: np.ndarray, blob: str) -> Comparison:
    """Ask for one blob of inputs (b, C, H, W), b > 1: twice together, and alone.

    Where memory has no room for them together, they are asked for alone.
    """
    forward = _forward(net, blob)
    alone = _each(forward, inputs)
    try:
        together, again = forward(inputs), forward(inputs)
    except (OutOfMemoryError, MemoryError):
        return Comparison(alone, _real(net, blob, inputs, alone, _each(forward, inputs), _twice_alone), 0.0)
    varies = _real(net, blob, inputs, together, again, _twice)
    mixed = 0.0 if varies else _real(net, blob, inputs, together, alone, _both_ways)
    return Comparison(alone, varies, mixed)


def _each(forward: Forward, inputs: np.ndarray) -> np.ndarray:
    return np.concatenate([forward(one[None]) for one in inputs])


def _twice(forward: Forward, inputs: np.ndarray) -> Answers:
    return forward(inputs), forward(inputs)


def _twice_alone(forward: Forward, inputs: np.ndarray) -> Answers:
    return _each(forward, inputs), _each(forward, inputs)


def _both_ways(forward: Forward, inputs: np.ndarray) -> Answers:
    return forward(inputs), _each(forward, inputs)


def disagreement(values: np.ndarray, wanted: np.ndarray, *, scale: float, precision: str | None) -> float:
    """By how much `evaluate`'s values differ from `forward`'s; 0 where rounding on the way explains it.

    Parameters
    ----------
    values, wanted : (n, T) arrays
        Of the same images; the first is the untouched one.
    scale : float
        The largest value that rounding on the way has to do with.
    precision : str or None
        One of `protocols.PRECISIONS`.
    """
    gap = _difference(values, wanted)
    numbers = np.where(np.isfinite(wanted), wanted, 0.0)
    changes = _largest(numbers - numbers[:1])
    part = LESS_PRECISE.get(precision or "", VALUES)
    return gap if gap > CHANGES * changes + part * scale else 0.0


def _real(net: Net, blob: str, inputs: np.ndarray, one: np.ndarray, other: np.ndarray, question: Question) -> float:
    """The largest difference between two answers to a question; 0 where rounding explains it."""
    gap, scale = _difference(one, other), _largest(one[np.isfinite(one)])
    if gap <= ROUNDING * scale:
        return 0.0
    exact = _exactly(net, blob, inputs, question)
    if exact is not None:
        return gap if exact > LEFT * gap else 0.0
    if question is not _both_ways:  # the same passes again, which the order of additions alone can change a little
        return gap if gap > AGAIN * scale else 0.0
    forward = _forward(net, blob)
    return gap if gap > WOBBLE * _difference(forward(inputs), forward(nudged(inputs))) else 0.0


def _exactly(net: Net, blob: str, inputs: np.ndarray, question: Question) -> float | None:
    """The largest difference in float64; None of a net that does not compute in it."""
    in_double = net_abilities(net).in_double
    try:
        double = None if in_double is None else in_double()
        return None if double is None else _difference(*question(_forward(double, blob), inputs))
    except Exception:  # whatever a stranger's module does with numbers that it was not made for
        return None


def _forward(net: Net, blob: str) -> Forward:
    return lambda inputs: np.asarray(net.forward(inputs, [blob])[blob], np.float64)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; infinite where only one of them is finite."""
    finite = np.isfinite(one)
    if not np.array_equal(finite, np.isfinite(other)):
        return float("inf")
    return _largest(one[finite] - other[finite])


def nudged(inputs: np.ndarray) -> np.ndarray:
    """Inputs with a little more than their own rounding: what that changes, rounding may change."""
    noise: Any = np.random.default_rng(0).uniform(-NUDGE, NUDGE, inputs.shape)
    return np.asarray(inputs * (1 + noise), np.float32)


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0))


def mixed(name: str, blob: str, gap: float) -> str:
    """What is said of a net whose answer for one image depends on the others in its batch."""
    return (
        f"The answer of net {name!r} for one image depends on which others are computed with it (by {gap:.2g} of "
        f"{blob!r} in a trial), so each image is computed alone: that is right, but slow."
    )
