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
#: Where there is no float64, answers alone and together may differ by so many times what a nudge of the inputs changes.
WOBBLE = 32
#: By how much a number of float32 is rounded, at most, as a part of its value.
FLOAT32 = 2.0**-24
#: By how much inputs are nudged, in roundings of a net's numbers: a little more than their own.
NUDGE = 16
#: By how much `evaluate` and `forward` may differ: as a part of the largest change, and of the largest value.
CHANGES, VALUES = 0.01, 1e-4
#: In place of `VALUES` for products of fewer bits, by `protocols.PRECISIONS`: a hundred times their rounding.
LESS_PRECISE = {"tf32": 0.05, "bfloat16": 0.4}
#: The same of nets whose own numbers have fewer bits.
ROUNDINGS = 100

#: Inputs (b, C, H, W) -> values (b, ...) of one blob.
Forward = Callable[[np.ndarray], np.ndarray]
#: Two answers (b, ...) that should be the same.
Answers = Tuple[np.ndarray, np.ndarray]
#: Asks any one way to compute for both.
Question = Callable[[Forward, np.ndarray], Answers]


@dataclass(frozen=True)
class Comparison:
    """What came of asking for the same inputs alone, together and again.

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
    """Ask for one blob of inputs (b, C, H, W), b > 1, alone and together; where that differs, together once more.

    Where memory has no room for them together, they are asked for alone.
    """
    forward = _forward(net, blob)
    alone = _each(forward, inputs)
    try:
        together = forward(inputs)
        if _difference(together, alone) <= ROUNDING * largest(together):  # so it does not draw either
            return Comparison(alone, 0.0, 0.0)
        again = forward(inputs)
    except (OutOfMemoryError, MemoryError):
        return Comparison(alone, _second_time(net, inputs, blob, alone), 0.0)
    varies = _real(net, blob, inputs, together, again, _twice)
    mixed = 0.0 if varies else _real(net, blob, inputs, together, alone, _both_ways)
    return Comparison(alone, varies, mixed)


def varies(net: Net, inputs: np.ndarray, blob: str) -> float:
    """By how much one blob of inputs (b, C, H, W), each alone, differs from one time to the next; 0 for rounding."""
    return _second_time(net, inputs, blob, each_alone(net, inputs, blob))


def each_alone(net: Net, inputs: np.ndarray, blob: str) -> np.ndarray:
    """One blob of inputs (b, C, H, W), each alone, (b, ...) float64."""
    return _each(_forward(net, blob), inputs)


def _second_time(net: Net, inputs: np.ndarray, blob: str, first: np.ndarray) -> float:
    return _real(net, blob, inputs, first, each_alone(net, inputs, blob), _twice_alone)


def _each(forward: Forward, inputs: np.ndarray) -> np.ndarray:
    return np.concatenate([forward(one[None]) for one in inputs])


def _twice(forward: Forward, inputs: np.ndarray) -> Answers:
    return forward(inputs), forward(inputs)


def _twice_alone(forward: Forward, inputs: np.ndarray) -> Answers:
    return _each(forward, inputs), _each(forward, inputs)


def _both_ways(forward: Forward, inputs: np.ndarray) -> Answers:
    return forward(inputs), _each(forward, inputs)


def disagreement(
    values: np.ndarray, wanted: np.ndarray, *, scale: float, precision: str | None = None, rounding: float = FLOAT32
) -> float:
    """By how much `evaluate`'s values differ from `forward`'s; 0 where rounding on the way explains it.

    Parameters
    ----------
    values, wanted : (n, T) arrays
        Of the same images; the first is the untouched one.
    scale : float
        The largest value that rounding on the way has to do with.
    precision : str, optional
        One of `protocols.PRECISIONS`, by default float32.
    rounding : float
        By how much the net's own numbers are rounded, as a part of their value.
    """
    gap = _difference(values, wanted)
    numbers = np.where(np.isfinite(wanted), wanted, 0.0)
    changes = largest(numbers - numbers[:1])
    part = max(LESS_PRECISE.get(precision or "", VALUES), ROUNDINGS * rounding)
    return gap if gap > CHANGES * changes + part * scale else 0.0


def _real(net: Net, blob: str, inputs: np.ndarray, one: np.ndarray, other: np.ndarray, question: Question) -> float:
    """The largest difference between two answers to a question; 0 where rounding explains it."""
    gap, scale = _difference(one, other), largest(one)
    if gap <= ROUNDING * scale:
        return 0.0
    if np.isinf(gap):
        return gap
    exact, rounding = _exactly(net, blob, inputs, question), net_abilities(net).rounding
    if exact is not None:
        return gap if exact > LEFT * gap else 0.0
    if question is not _both_ways:  # the same passes again, which the order of additions alone can change a little
        return gap if gap > max(AGAIN, ROUNDINGS * rounding) * scale else 0.0
    forward = _forward(net, blob)
    return gap if gap > WOBBLE * _difference(forward(inputs), forward(nudged(inputs, rounding))) else 0.0


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
    return largest(one[finite] - other[finite])


def nudged(inputs: np.ndarray, rounding: float) -> np.ndarray:
    """Inputs with a little more than a net's ``rounding`` of them: what that changes, rounding may change."""
    noise: Any = NUDGE * rounding * np.random.default_rng(0).uniform(-1, 1, inputs.shape)
    return np.asarray(inputs * (1 + noise), np.float32)


def largest(values: np.ndarray) -> float:
    """The largest magnitude among finite values, 0 of none."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def drawing(name: str, blob: str, gap: float) -> str:
    """What is said of a net that answers differently each time."""
    return (
        f"Net {name!r} answers differently each time it is asked (by {gap:.2g} of {blob!r} in a trial): "
        "it draws by itself"
    )


def mixed(name: str, blob: str, gap: float) -> str:
    """What is said of a net whose answer for one image depends on the others in its batch."""
    return (
        f"The answer of net {name!r} for one image depends on which others are computed with it (by {gap:.2g} of "
        f"{blob!r} in a trial), so each image is computed alone: that is right, but slow."
    )
