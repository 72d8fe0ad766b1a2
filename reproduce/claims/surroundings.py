"""Claim b: whether conditional sampling takes weight from windows that their surroundings predict."""

from __future__ import annotations

import numpy as np

from predicdiff import windows

from .finding import Finding
from .line import Size
from .maps import Windows, shifted
from .study import Subject

FIFTHS = 5


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """How the energies' ratio rises with windows' distance from what is expected of them, and with what is none."""
    asked = {"side": size.side, "draws": size.draws, "stride": size.stride}
    halves = {kind: subject.halves(kind, **asked) for kind in ("conditional", "marginal")}
    conditional, marginal = (one.grid[0] * other.grid[0] for one, other in halves.values())
    at = halves["conditional"][0]
    own, another = (residual(one, at).reshape(conditional.shape) for one in (subject, subject.another))

    def risen(order: np.ndarray) -> float:
        return rise(log_ratios(order, conditional, marginal))

    ratios, by_shift = log_ratios(own, conditional, marginal), [risen(each) for each in shifted(own)]
    known = [value for value in by_shift if np.isfinite(value)]
    nulls = {
        "residual shifted round": float(np.mean(known)) if known else np.nan,
        # of a photograph alone there is no other
        "another photograph's residual": risen(another) if subject.another.number != subject.number else np.nan,
    }
    return {"b": Finding(rise(ratios), nulls, {f"fifth {n + 1}": value for n, value in enumerate(ratios.tolist())})}


def residual(subject: Subject, at: Windows) -> np.ndarray:
    """(n,): how far windows are, on average over their values, from what the conditional sampler expects there."""
    sampler, pixels = subject.sampler("conditional", at.window), subject.pixels
    noise = sampler.noise(pixels, at.origins, window=at.window, samples=1, seed=0)  # type: ignore[attr-defined]
    held = windows.cut(pixels, at.origins, window=at.window)
    return np.asarray(np.abs(held.reshape(len(held), -1) - noise.means.reshape(len(held), -1)).mean(axis=1))


def log_ratios(order: np.ndarray, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """(5,): log2 of the ratio of two energies in each fifth of the windows, ordered by a number each.

    Energies are products of independent estimates, window by window, so that noise adds nothing on average. NaN where
    one is not above the noise.
    """
    fifths = np.array_split(np.argsort(order, axis=None, kind="stable"), FIFTHS)
    means = np.array([[values.ravel()[fifth].mean() for fifth in fifths] for values in (above, below)])
    logs = np.log2(np.where(means > 0, means, np.nan))
    return np.asarray(logs[0] - logs[1])


def rise(ratios: np.ndarray) -> float:
    """From the lowest fifth to the highest."""
    return float(ratios[-1] - ratios[0])
