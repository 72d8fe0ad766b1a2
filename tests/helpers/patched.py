"""Windows and patches at random, and patches set into maps by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from predicdiff.protocols import Unit


@st.composite
def origins(draw: st.DrawFn, size: tuple[int, int], most: int = 4) -> tuple[tuple[int, int], np.ndarray]:
    """A window's sides, and some places (n, 2) for it, corners often among them."""
    window = (draw(st.integers(1, min(size[0], 4))), draw(st.integers(1, min(size[1], 4))))
    room = [n - side for n, side in zip(size, window)]
    corner = st.tuples(*(st.sampled_from([0, n]) for n in room))
    anywhere = st.tuples(*(st.integers(0, n) for n in room))
    places = draw(st.lists(corner | anywhere, min_size=1, max_size=most))
    return window, np.array(places)


@st.composite
def some_units(draw: st.DrawFn, shape: tuple[int, ...]) -> list[Unit]:
    """Indices into a blob: single units, or what leaves axes to be averaged."""
    full = st.tuples(*(st.integers(0, n - 1) for n in shape))
    if draw(st.booleans()):
        return draw(st.lists(full, min_size=1, max_size=3))
    return [unit[: draw(st.integers(1, len(unit)))] for unit in draw(st.lists(full, min_size=1, max_size=3))]


def set_in(image: np.ndarray, places: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """Copies (n S, C, H, W) of an image, each with its patch of (n, S, C, h, w)."""
    (height, width), changed = patches.shape[-2:], []
    for (row, column), draws in zip(places, patches):
        for patch in draws:
            copy = image.copy()
            copy[:, row : row + height, column : column + width] = patch
            changed.append(copy)
    return np.array(changed)


def read(blob: np.ndarray, units: list[Unit], like: Any) -> np.ndarray:
    """Units' values (n, S, T) float64 in a blob (n S, ...)."""
    means = [blob[(slice(None), *unit)].reshape(len(blob), -1).astype(np.float64).mean(1) for unit in units]
    return np.stack(means, 1).reshape(*like.shape[:2], len(units))
