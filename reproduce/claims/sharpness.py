"""Claim a: whether maps by conditional sampling are sharper than those by marginal sampling."""

from __future__ import annotations

import numpy as np
from scipy.signal.windows import hann

from .finding import Finding
from .line import Size
from .study import Subject

#: Energy is told above one cycle in so many pixels: the first is the statistic.
CYCLES = (32, 16, 64)


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """Shares of energy of both kinds of maps."""
    shares = {}
    for kind in ("conditional", "marginal"):
        one, other = (
            half.map[0] for half in subject.halves(kind, side=size.side, draws=size.draws, stride=size.stride)
        )
        shares[kind] = [share(one, other, cycle) for cycle in CYCLES]
    beside = {
        f"{kind} above 1/{cycle}": value
        for kind, values in shares.items()
        for cycle, value in zip(CYCLES[1:], values[1:])
    }
    return {"a": Finding(shares["conditional"][0], {"marginal": shares["marginal"][0]}, beside)}


def share(one: np.ndarray, other: np.ndarray, cycle: float) -> float:
    """The part of a map's energy at more than one cycle in so many pixels.

    Energy is the real part of the cross-spectrum of two independent estimates (H, W) of the map, in which their noise
    is 0 on average, each without its mean and under a Hann window. NaN where there is no energy above the noise.
    """
    energy = np.real(_transform(one) * np.conj(_transform(other)))
    rows, columns = (np.fft.fftfreq(length) for length in energy.shape)
    frequency = np.hypot(rows[:, None], columns)
    total = energy[frequency > 0].sum()
    return float(energy[frequency > 1 / cycle].sum() / total) if total > 0 else float("nan")


def _transform(values: np.ndarray) -> np.ndarray:
    rows, columns = (hann(length, sym=False) for length in values.shape)
    window = rows[:, None] * columns
    transformed: np.ndarray = np.fft.fft2((values - np.average(values, weights=window)) * window)
    return transformed
