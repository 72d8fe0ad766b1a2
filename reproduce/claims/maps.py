"""Windows of a part of an image, evaluated once and kept: what claims are measured on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from predicdiff import windows
from predicdiff._version import __version__
from predicdiff.algorithm import first_state
from predicdiff.budget import MEMORY
from predicdiff.errors import ExplanationError
from predicdiff.executors.here import run_tiles
from predicdiff.files import Kind, read, write
from predicdiff.journal import Journal
from predicdiff.plan import Analysis
from predicdiff.validation import DICT, array, check

from .. import common


class NotKeptError(Exception):
    """Windows are wanted that were not evaluated yet, where only those are that were."""


#: Steps along each axis by which maps are shifted round, as parts of its length.
SHIFTS = 4

KIND = Kind("set of windows", 1, "python -m reproduce.claims", ExplanationError)


@dataclass(frozen=True, eq=False)
class Windows:
    """What is left of units where each window of a grid in a part of the image is unknown.

    Attributes
    ----------
    origins : (n, 2) int array
        Top-left (row, column) of each window in the image, row by row.
    values, variances : (n, T) float64 arrays
        Differences of n windows for T units before they are spread, bits for probabilities and otherwise the blob's
        activation; and the variances of these estimates, NaN for a single draw.
    base : (T,) float64 array
        The units' values for the untouched image.
    window : int
        Side k of the windows.
    """

    origins: np.ndarray
    values: np.ndarray
    variances: np.ndarray
    base: np.ndarray
    window: int

    @property
    def grid(self) -> np.ndarray:
        """(T, rows, columns): the values, each where its window lies in the grid."""
        rows, columns = (len(np.unique(starts)) for starts in self.origins.T)
        return self.values.T.reshape(-1, rows, columns)

    @property
    def map(self) -> np.ndarray:
        """(T, height, width): relevance in the part of the image that the windows cover, averaged over windows."""
        corner = self.origins[0]
        height, width = (self.origins[-1] - corner + self.window).tolist()
        spread: np.ndarray = windows.spread(
            self.values, self.origins - corner, window=self.window, shape=(height, width)
        )
        return spread


def middle(shape: tuple[int, ...], side: int, *, window: int, stride: int) -> np.ndarray:
    """Origins (n, 2) of the windows in the square in the middle of an image (H, W); no side is longer than it."""
    sides = [min(side, size) for size in shape]
    corner = [(size - length) // 2 for size, length in zip(shape, sides)]
    origins = windows.grid((sides[0], sides[1]), window=window, stride=stride, gaps=True) + corner
    return np.asarray(origins)


def shifted(values: np.ndarray) -> list[np.ndarray]:
    """Values (H, W) shifted round by each of 15 steps along both axes: what they have but for their place."""
    steps = [[size * step // SHIFTS for step in range(SHIFTS)] for size in values.shape]
    return [np.roll(values, move, (0, 1)) for move in list(product(*steps))[1:]]  # the first is none


def evaluated(analysis: Analysis, origins: np.ndarray, folder: Path, stem: str, *, only_kept: bool = False) -> Windows:
    """An analysis' windows at ``origins``: what a file holds of them, or else they are evaluated and kept in one.

    The file's name is ``stem`` and a few digits of all that its values depend on. An interrupted run goes on where it
    stopped. With ``only_kept`` nothing is evaluated: `NotKeptError` where there is no file.
    """
    part = replace(analysis, origins=origins)
    identity = {**part.tiles_identity, "origins": origins.tolist(), "version": __version__}
    digits = hashlib.sha1(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]
    path = folder / f"{stem}_{digits}.h5"
    kept = _kept(path, identity)
    if kept is None:
        if only_kept:
            raise NotKeptError
        kept = _made(part, path, identity)
        write(path, KIND, kept, {"identity": identity})
    (window,) = set(analysis.settings.sides)
    return Windows(origins, kept["values"], kept["variances"], analysis.readout.base, window)


def _held(parts: dict[str, Any]) -> dict[str, Any]:
    check(parts, {"identity": DICT})
    array(parts["values"], "values", "f", (-1, -1))
    array(parts["variances"], "variances", "f", parts["values"].shape)
    return parts


def _kept(path: Path, identity: dict[str, Any]) -> dict[str, np.ndarray] | None:
    try:
        parts = read(path, KIND, _held)
    except ExplanationError:
        return None
    return parts if parts.pop("identity") == identity else None


def _made(part: Analysis, path: Path, identity: dict[str, Any]) -> dict[str, np.ndarray]:
    tiles_path = path.with_name(path.name + ".tiles")
    with Journal(tiles_path, identity, first_state(part, MEMORY, None)) as journal:
        tiles = part.tiles(int(journal.state["tile"]))
        with common.windows_bar(part, path.stem) as progress:
            run_tiles(part, tiles, journal, progress)
        values, variances = (
            np.concatenate([journal.tiles[number][which] for number in range(len(tiles))]) for which in (0, 1)
        )
    journal.remove()
    return {"values": values, "variances": variances}
