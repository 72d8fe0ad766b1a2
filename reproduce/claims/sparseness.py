"""Claim g: late activations are sparse over channels."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from ..common import say
from ..layers import layers
from .finding import Finding
from .line import Size
from .random_nets import shuffled
from .study import Subject

#: In each layer; maps of 7 x 7, GoogLeNet's last, have no more.
PLACES = 49


def hoyer(activations: np.ndarray) -> np.ndarray:
    """How sparse vectors (n, C) are: from 0, all alike, to 1, one alone not zero; NaN for nothing but zeros.

    P. O. Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 5, 2004.
    """
    values = np.abs(np.asarray(activations, np.float64))
    root, norms = np.sqrt(values.shape[1]), np.linalg.norm(values, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((root - values.sum(axis=1) / norms) / (root - 1))


def not_zero(activations: np.ndarray) -> float:
    """Share of units that are not zero."""
    return float(np.mean(activations != 0))


def places(maps: np.ndarray, layer: str, seed: int) -> np.ndarray:
    """The channels (n, C) of maps (C, H, W) at 49 places, or all there are: the same ones in every picture's."""
    channels = maps.reshape(len(maps), -1).T
    stream = np.random.default_rng([seed, zlib.crc32(layer.encode())])
    return channels[stream.permutation(len(channels))[:PLACES]]


def sparseness(activations: np.ndarray) -> float:
    """Mean of `hoyer` over the places where anything is not zero; NaN where nothing is."""
    each = hoyer(activations)
    known = each[np.isfinite(each)]
    return float(known.mean()) if len(known) else np.nan


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """The early, the middle and the late layer of figure 5, and the same with random weights.

    Hoyer's measure is larger of more channels, also for noise: of each layer as many are taken as the narrowest has.
    """
    names = layers(subject.net)
    here = _activations(subject, subject.net, names)
    chance = _activations(subject, shuffled(subject), names)
    if min(values.min() for values in here) < 0:
        say(f"{subject.study.title}: claim g is not measured, since not all of {', '.join(names)} are behind a ReLU.")
        return {}
    early, middle, late = (sparseness(values) for values in here)
    beside = {"middle layer": middle, "channels of each layer": float(here[0].shape[1])}
    for word, values, random in zip(("early", "middle", "late"), here, chance):
        beside[f"{word} layer, random weights"] = sparseness(random)
        beside[f"share not zero, {word} layer"] = not_zero(values)
        beside[f"share not zero, {word} layer, random weights"] = not_zero(random)
    return {"g": Finding(late, {"early layer": early}, beside)}


def _activations(subject: Subject, net: Any, names: tuple[str, ...]) -> list[np.ndarray]:
    found = net.forward(net.encode(subject.pixels)[None], list(names))
    seed, narrowest = subject.study.seed, min(found[name].shape[1] for name in names)
    drawn = []
    for name in names:
        stream = np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(subject.name.encode())])
        values = places(found[name][0], name, seed)
        drawn.append(values[:, stream.permutation(values.shape[1])[:narrowest]])
    return drawn
