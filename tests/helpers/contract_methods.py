"""Another way to the map of every method: loops, difference quotients, formulas."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Callable

import numpy as np

from helpers.contract_nets import Held
from helpers.one_at_a_time import bits, one_at_a_time
from helpers.rounding import float32_atol
from predicdiff.methods.registry import make_methods
from predicdiff.samplers.grey import GreyPatch

SAMPLES, SEED = 3, 4


def relevance(held: Held, name: str, seed: int = SEED) -> np.ndarray:
    """A method's map of the first unit."""
    method = make_methods([name], sampler=held.sampler, samples=SAMPLES, **held.how)[name]
    return method(held.net, held.image.copy(), (held.units[0],), seed)


def prediction_difference(held: Held) -> np.ndarray:
    blob, unit = held.net.output, held.units[0]
    function = bits(held.net.training_instances, held.net.blobs[blob][0])
    how = {**held.how, "samples": SAMPLES, "seed": SEED, "between": "none"}
    return one_at_a_time(held.look(blob, [unit]), held.image, held.sampler, function=function, **how)[0]


def occlusion(held: Held) -> np.ndarray:
    how = {**held.how, "samples": 1, "seed": SEED, "between": "none"}
    return one_at_a_time(held.look(held.net.output, [held.units[0]]), held.image, GreyPatch(), **how)[0]


def sensitivity(held: Held) -> np.ndarray:
    """Difference quotients in double precision, of each value of the input."""
    inputs, step = held.encode(held.image), 1e-6

    def score(change: np.ndarray) -> float:
        return float(held.blobs(inputs + change, {})[held.net.scores][held.units[0]])

    slopes = np.empty(inputs.shape)
    for index in np.ndindex(*inputs.shape):
        change = np.zeros(inputs.shape)
        change[index] = step
        slopes[index] = (score(change) - score(-change)) / (2 * step)
    return np.abs(slopes).max(axis=0)


def noise(held: Held) -> np.ndarray:
    """Uniform numbers of the seed and the picture."""
    digest = hashlib.sha1(held.image.tobytes()).digest()
    return np.random.default_rng([SEED, int.from_bytes(digest[:8], "little")]).random(held.image.shape[1:])


@dataclass(frozen=True)
class Wanted:
    """What a method's map should be, whether another seed gives another, and whether it is made of the net's values."""

    map: Callable[[Held], np.ndarray]
    draws: bool
    of_values: bool = True

    def rounding(self, held: Held, wanted: np.ndarray) -> float:
        """By how much the map may be off: as values are, or, of gradients and the like, as a sum of its own size."""
        return held.rounding(held.net.output) if self.of_values else float32_atol(wanted, held.terms)


#: By the method's name.
WANTED = {
    "prediction difference": Wanted(prediction_difference, draws=True),
    "occlusion": Wanted(occlusion, draws=False),
    "sensitivity": Wanted(sensitivity, draws=False, of_values=False),
    "random": Wanted(noise, draws=True, of_values=False),
}
