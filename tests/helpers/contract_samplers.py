"""The samplers that the contract holds: every kind of the registry, in all its forms, of pixels and of hidden blobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable

import numpy as np

from helpers.oracle_nets import MapNet
from predicdiff.abilities import sampler_abilities
from predicdiff.samplers.hidden import activations_of, hidden_sampler
from predicdiff.samplers.registry import SAMPLERS, Recipe

SHAPE = (2, 12, 14)
RECIPE = Recipe(context=(5, 6), patches=1500, names=[f"picture {number}" for number in range(24)])
#: What else a kind can be told than nothing, by its name.
FORMS: dict[str, dict[str, dict[str, Any]]] = {
    "conditional": {
        "colour by colour": {"channels": "independent"},
        "as the authors": {"channels": "authors", "first": 1},
        "not clipped": {"clip": None},
        "clipped by the corpus": {"clip": "corpus"},
    },
    "marginal": {"the first images": {"choice": "first"}},
}


@dataclass(frozen=True)
class HeldSampler:
    """A sampler, what its windows lie on, and whether it leaves anything to chance."""

    sampler: Any
    ground: np.ndarray

    @property
    def draws(self) -> bool:
        """Whether another seed gives others."""
        can = sampler_abilities(self.sampler)
        return can.most_draws is None and (can.population is None or can.population(self.ground) > 0)


def corpus() -> np.ndarray:
    """Pixels (24, C, H, W), each picture lighter or darker than the next, so that it matters which are drawn."""
    noise = np.random.default_rng(0).integers(0, 64, (24, *SHAPE))
    return (noise + 8 * np.arange(24)[:, None, None, None]).astype(np.float32)


def ground() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, SHAPE).astype(np.float32)


def _of_pixels(kind: str, recipe: Recipe) -> HeldSampler:
    return HeldSampler(SAMPLERS[kind].make(corpus(), recipe), ground())


def _hidden(kind: str) -> HeldSampler:
    net = MapNet(SHAPE)
    recipe = replace(RECIPE, context=(3, 4))
    sampler = hidden_sampler(net, corpus(), "maps", SAMPLERS[kind], recipe)
    return HeldSampler(sampler, activations_of(net, ground()[None], "maps")[0])


def makers() -> dict[str, Callable[[], HeldSampler]]:
    """A function for each sampler, by what it is called in the tests' names."""
    made: dict[str, Callable[[], HeldSampler]] = {}
    for kind in SAMPLERS:
        for form, change in {"": {}, **FORMS.get(kind, {})}.items():
            recipe = replace(RECIPE, **change)
            made[f"{kind} {form}".strip()] = lambda kind=kind, recipe=recipe: _of_pixels(kind, recipe)  # type: ignore[misc]
        made[f"hidden {kind}"] = lambda kind=kind: _hidden(kind)  # type: ignore[misc]
    return made
