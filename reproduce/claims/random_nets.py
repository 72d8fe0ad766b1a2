"""Nets that have learnt nothing: what claims e and g are held against."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from predicdiff.judging.random_weights import randomised, weighted_layers


@lru_cache(maxsize=1)
def at_random(net: Any) -> Any:
    """A copy of a net with the weights of each layer shuffled: as large as they were, and of no use."""
    return randomised(net, layers=len(weighted_layers(net)))
