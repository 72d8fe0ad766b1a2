"""Prediction difference analysis as one method among others: relevance for the net's probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..algorithm import explain
from ..errors import ConfidenceWarning, without
from ..protocols import Net, Sampler, Unit
from .method import Method


def _map(net: Net, pixels: np.ndarray, unit: Unit, seed: int, *, sampler: Sampler, **windows: Any) -> np.ndarray:
    with without(ConfidenceWarning):
        # where the net is sure, Laplace's correction flattens the evidence but leaves its order
        # as occlusion's, averaged over the windows that there are, so that methods are compared alike
        return explain(net, pixels, sampler, units=[unit], seed=seed, between="none", **windows).relevance[0]


METHOD = Method("prediction difference", _map, needs=("sampler", "window", "samples", "stride", "blob", "memory"))
