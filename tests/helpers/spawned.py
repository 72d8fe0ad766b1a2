"""Work for a process of its own, which imports this file."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np


def values_of(net: Any, image: np.ndarray, origins: np.ndarray, patches: np.ndarray, ask: dict[str, Any]) -> np.ndarray:
    """What a net gives for windows."""
    return np.asarray(net.evaluate(image, origins, patches, **ask))


def elsewhere(*work: Any) -> np.ndarray:
    """As `values_of`, in a process that is started anew."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(values_of, work)
