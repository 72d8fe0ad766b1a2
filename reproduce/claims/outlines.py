"""Claim e: single pixels mark outlines."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from skimage.filters import sobel

from predicdiff.images import LUMA
from predicdiff.methods.sensitivity import sensitivity
from predicdiff.overlays import top_mask

from .finding import Finding
from .gradients import residuals
from .line import Size
from .maps import shifted
from .pixels import single_pixels
from .random_nets import shuffled
from .study import Subject

#: Of the pixels, as in figure 3.
PART = 0.05


def edges(pixels: np.ndarray) -> np.ndarray:
    """Edge strength (H, W) of pixels (C, H, W): Sobel's of the grey picture."""
    grey = np.tensordot(LUMA, pixels, 1) if len(pixels) == 3 else pixels.mean(axis=0)
    return np.asarray(sobel(np.asarray(grey, np.float64)))


def ranks(strength: np.ndarray) -> np.ndarray:
    """Where each value stands among all, from 0 to 1; the mean is a half."""
    return np.asarray((rankdata(strength).reshape(strength.shape) - 0.5) / strength.size)


def marked(relevance: np.ndarray, rank: np.ndarray) -> float:
    """Mean of ``rank`` (H, W) under the pixels with the largest magnitudes of a map (H, W)."""
    return float(rank[top_mask(relevance, part=PART)].mean())


def marked_shifted(relevance: np.ndarray, rank: np.ndarray) -> float:
    """The same of the map shifted round, mean over shifts: what its pixels mark by their number and pattern alone."""
    return float(np.mean([marked(each, rank) for each in shifted(relevance)]))


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """Edges under the top of the score's map of single pixels, and under that of whatever may stand for it."""
    halves = single_pixels(subject, size.side)
    relevance = (halves[0].grid[0] + halves[1].grid[0]) / 2
    corner, shape = halves[0].origins[0], relevance.shape
    inside = tuple(slice(start, start + length) for start, length in zip(corner, shape))
    rank = ranks(edges(subject.pixels)[inside])
    gradient = sensitivity(subject.net, subject.pixels, blob=subject.net.scores, unit=subject.unit)[inside]
    residual = np.linalg.norm(residuals(subject, halves[0].origins), axis=1).reshape(shape)
    chance = single_pixels(subject.before(shuffled(subject), "random"), size.side)
    nulls = {
        "sensitivity map": marked(gradient, rank),
        "residual alone": marked(residual, rank),
        "random weights": marked((chance[0].grid[0] + chance[1].grid[0]) / 2, rank),
        "shifted maps": marked_shifted(relevance, rank),
    }
    return {"e": Finding(marked(relevance, rank), nulls)}
