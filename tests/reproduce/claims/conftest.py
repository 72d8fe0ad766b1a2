"""Claims before a linear net."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, photo

SHAPE = (3, 16, 14)


@pytest.fixture
def study(module: Callable[[str], Any], tmp_path: Path) -> Any:
    """A linear net before two photographs, and a corpus of twelve others."""
    studies = module("claims.study")
    net = LinearNet(np.random.default_rng(0).normal(0, 1e-3, (4, *SHAPE)))
    corpus = np.stack([photo(SHAPE, seed) for seed in range(10, 22)])
    photographs = [studies.Photograph(f"photo {seed}", photo(SHAPE, seed), 1, 0.5, corpus) for seed in (1, 2)]
    return studies.Study("numpy", net, photographs, tmp_path)
