"""Deletion and insertion: what becomes of a class while a map's most relevant parts are taken away, or put back, first.

A map that tells the truth makes the class fall fast when its parts are deleted in order, and rise fast when they
are inserted.

References
----------
V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized input sampling for explanation of black-box models", BMVC 2018,
arXiv:1806.07421.
W. Samek et al., "Evaluating the visualization of what a deep neural network has learned", IEEE TNNLS 28(11), 2017,
doi:10.1109/TNNLS.2016.2599820.
"""

from __future__ import annotations

import math
from typing import Callable, Sequence

import numpy as np

from ..abilities import net_abilities
from ..classes import find_unit
from ..errors import SettingsError
from ..executors.here import halving
from ..protocols import Net, Unit, UnitLike
from ..targets import observed, predicted, see
from ..units import read, whole_number
from .infills import InfillLike, find

MODES = ("deletion", "insertion")
#: Side of a block, in pixels, and steps where nothing else is said and the picture is large enough.
BLOCK, STEPS = 8, 28


def curve(
    net: Net,
    image: np.ndarray,
    relevance: np.ndarray,
    *,
    unit: UnitLike | None = None,
    blob: str | None = None,
    mode: str = "deletion",
    steps: int | None = None,
    block: int | None = None,
    infill: InfillLike = "blur",
    batch_size: int | None = None,
) -> np.ndarray:
    """A unit's value while the picture is taken away or put back, what is most relevant first.

    Parameters
    ----------
    net : Net
    image : (C, H, W) float array or (H, W, 3) array
        Pixels as ``net.view`` gives them, or an RGB image, of which the net's view is taken.
    relevance : (H, W) float array
        The map in question, at the net's pixels.
    unit : int, (channel, row, column) or a class's name, optional
        By default the predicted class.
    blob : str, optional
        By default the net's probabilities, else its scores.
    mode : {"deletion", "insertion"}
        Take away from the whole picture, or put back into one of which all is gone.
    steps : int
        After step i, round(i n / steps) of the n blocks are gone, or back. By default 28, or n where that is less.
    block : int
        Side of the squares that go at once; their relevance is its mean over them. Single pixels (1) make patterns
        that a net never saw, and it is those that then count. By default 8, less where there would be fewer blocks than
        steps.
    infill : {"blur", "inpaint"} or callable
        What stands where the picture is gone, see `infills`.
    batch_size : int, optional
        By default what the net likes best; halved where memory runs out.

    Returns
    -------
    (steps + 1,) float64 array

    Raises
    ------
    PredicdiffError
        One of its kinds, if the image, the map, the unit or a setting does not fit.
    """
    if mode not in MODES:
        raise SettingsError(f"mode {mode!r} is unknown: want {' or '.join(MODES)}.")
    abilities = net_abilities(net)
    pixels, _, _ = see(net, abilities, image)
    if np.shape(relevance) != pixels.shape[1:]:
        raise SettingsError(f"the map has the shape {np.shape(relevance)}: want {pixels.shape[1:]}, what the net sees.")
    steps, block = usual_steps(pixels.shape[1:], steps, block)
    turns = turns_of(relevance, block=block)
    counts = _counts(int(turns.max()) + 1, steps, block)
    blob = blob or observed(net)
    index = predicted(net, pixels, blob) if unit is None else find_unit(net, blob, unit)
    fill = find(infill)(pixels)

    def picture(step: int) -> np.ndarray:
        gone = turns < counts[step] if mode == "deletion" else turns >= counts[step]
        return np.where(gone, fill(gone), pixels) if gone.any() else pixels

    batch = abilities.longest_batch if batch_size is None else batch_size
    return _values(net, picture, steps + 1, blob, index, batch)


def areas(curves: np.ndarray) -> np.ndarray:
    """Areas under curves (..., steps + 1) over 0..1, by the trapezoid rule: (...) float64; for one curve a number."""
    curves = np.asarray(curves, np.float64)
    if curves.ndim < 1 or curves.shape[-1] < 2:
        raise SettingsError(f"curves have the shape {curves.shape}: want (..., steps + 1), at least one step.")
    total: np.ndarray = (curves[..., 1:] + curves[..., :-1]).sum(axis=-1) / (2 * (curves.shape[-1] - 1))
    return total


def usual_steps(shape: Sequence[int], steps: int | None = None, block: int | None = None) -> tuple[int, int]:
    """Steps and the side of a block; one that is None becomes what fits a picture (height, width), as for `curve`."""
    if block is None:
        least = STEPS if steps is None else whole_number("steps", steps)
        block = next((side for side in range(BLOCK, 1, -1) if _blocks(shape, side) >= least), 1)
    if steps is None:
        steps = min(STEPS, _blocks(shape, max(1, whole_number("block", block))))
    return steps, block


def _blocks(shape: Sequence[int], block: int) -> int:
    """How many blocks a picture has, those that its border cuts among them."""
    return math.prod(-(-side // block) for side in shape)


def turns_of(relevance: np.ndarray, *, block: int) -> np.ndarray:
    """When each pixel goes: the place of its block in the order of falling mean relevance, from 0.

    Blocks lie from the top left; those at the other borders may be smaller. Of equally relevant blocks the upper, then
    the left one comes first.

    Parameters
    ----------
    relevance : (H, W) float array
    block : int

    Returns
    -------
    (H, W) int array
    """
    relevance = np.asarray(relevance, np.float64)
    if relevance.ndim != 2 or 0 in relevance.shape or not np.isfinite(relevance).all():
        raise SettingsError(f"the map has the shape {relevance.shape}, or NaN: want finite numbers (height, width).")
    if not 1 <= whole_number("block", block) <= max(relevance.shape):
        raise SettingsError(f"--block {block} (block=): want 1 to {max(relevance.shape)}, the longer side.")
    rows, columns = (np.arange(side) // block for side in relevance.shape)
    number = rows[:, None] * (columns[-1] + 1) + columns
    means = np.bincount(number.ravel(), relevance.ravel()) / np.bincount(number.ravel())
    place = np.empty(len(means), int)
    place[np.argsort(-means, kind="stable")] = np.arange(len(means))
    return place[number]


def _counts(blocks: int, steps: int, block: int) -> np.ndarray:
    if not 1 <= whole_number("steps", steps) <= blocks:
        raise SettingsError(
            f"--steps {steps} (steps=): want 1 to {blocks}, the number of blocks of {block} x {block} pixels; smaller "
            "ones (--block, block=) allow more."
        )
    return np.rint(np.arange(steps + 1) * blocks / steps).astype(int)


def _values(
    net: Net, picture: Callable[[int], np.ndarray], count: int, blob: str, unit: Unit, batch: int
) -> np.ndarray:
    """Values (count,) of a unit for pictures by their number, in batches halved where memory runs out."""
    if whole_number("batch size", batch) < 1:
        raise SettingsError(f"batch size {batch}: want at least 1.")
    values: list[float] = []

    def more(size: int) -> np.ndarray:
        numbers = range(len(values), min(len(values) + size, count))
        inputs = net.encode(np.stack([picture(number) for number in numbers]))
        return read(net.forward(inputs, [blob])[blob], [unit])[:, 0]

    while len(values) < count:
        some, batch = halving(more, batch)
        values.extend(some)
    return np.array(values)
