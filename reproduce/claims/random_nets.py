"""Nets that have learnt nothing: what claim e is held against, and what claim g is told beside."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

from predicdiff.judging.random_weights import randomised, weighted_layers

from .study import Subject


@lru_cache(maxsize=1)
def _at_random(net: Any, seed: int) -> Any:
    """A copy of a net with the weights of each layer shuffled: as large as they were, and of no use."""
    return randomised(net, layers=len(weighted_layers(net)), seed=seed)


def shuffled(subject: Subject) -> Any:
    """The subject's net at random, for each photograph by a shuffle of its own."""
    return _at_random(subject.net, zlib.crc32(f"{subject.study.seed} {subject.name}".encode()))
