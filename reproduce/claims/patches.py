"""Claim d: maps of larger patches are not averages of those of smaller ones."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from predicdiff import windows

from .correlating import Alike, alike
from .finding import Finding
from .gradients import linearised, pixel_gradient
from .line import Size
from .maps import Windows, middle
from .pixels import single_pixels
from .study import Subject

WINDOW = 10
#: Draws of each half of the linearised net, which costs no evaluation.
LINEAR_DRAWS = 20


def additivity(larger: Sequence[np.ndarray], single: Sequence[np.ndarray], corners: np.ndarray, window: int) -> Alike:
    """How alike windows and the sums of their single pixels are.

    Parameters
    ----------
    larger : two (n,) arrays
        What windows are worth, before spreading, by independent draws.
    single : two (H, W) arrays
        What each pixel alone is.
    corners : (n, 2) int array
        Top-left (row, column) of each window in ``single``.
    window : int
        Side of the windows.
    """
    rows, columns = corners.T
    sums = [windows.sliding(one, window=window)[rows, columns].sum(axis=(1, 2)) for one in single]
    return alike(larger, sums)


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """With marginal draws a linear net has exactly 1; conditional ones are held against the net's own linearisation."""
    marginal, conditional = (_evaluated(subject, size, kind) for kind in ("marginal", "conditional"))
    linear = _linear(subject, size)
    return {
        "d1": Finding(marginal.corrected, {"a linear net": 1.0}, _told(marginal)),
        "d2": Finding(conditional.corrected, {"the net's own linearisation": linear.corrected}, _told(conditional)),
    }


def _told(found: Alike) -> dict[str, float]:
    return {"as measured": found.measured, "reliability of windows": found.first, "reliability of sums": found.second}


def _evaluated(subject: Subject, size: Size, kind: str) -> Alike:
    single = single_pixels(subject, size.side, kind)
    how = {"draws": size.draws, "side": size.side, "stride": size.stride}
    larger = subject.halves(kind, WINDOW, blob=subject.net.scores, units=(subject.unit,), **how)
    return _held(larger, single)


def _held(larger: Sequence[Windows], single: Sequence[Windows]) -> Alike:
    corners = larger[0].origins - single[0].origins[0]
    return additivity([half.values[:, 0] for half in larger], [half.grid[0] for half in single], corners, WINDOW)


def _linear(subject: Subject, size: Size) -> Alike:
    """The same of the net's linearisation, with conditional draws."""
    gradient = pixel_gradient(subject.net, subject.pixels, subject.net.scores, subject.unit)

    def windows_of(window: int, stride: int, half: int) -> Windows:
        origins = middle(subject.pixels.shape[-2:], size.side, window=window, stride=stride)
        draw, seed = subject.sampler("conditional", window, half=half).draw, 2 * subject.study.seed + half
        patches = draw(subject.pixels, origins, window=window, samples=LINEAR_DRAWS, seed=seed)
        values = linearised(gradient, subject.pixels, origins, patches)[:, None]
        return Windows(origins, values, np.full_like(values, np.nan), np.full(1, np.nan), window)

    larger, single = ([windows_of(*each, half) for half in (0, 1)] for each in ((WINDOW, size.stride), (1, 1)))
    return _held(larger, single)
