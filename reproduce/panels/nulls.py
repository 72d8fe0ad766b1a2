"""What a panel's agreement with our map means: that of maps which have nothing, or little, to do with it.

Every map is limited to what the panel's colours show, and laid under the panel just as freely as ours; luminance,
edges and other nets' panels are only laid under it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Iterator, Sequence

import numpy as np
from scipy.ndimage import uniform_filter

from predicdiff.comparing.pictures import edges, luminance
from predicdiff.comparing.registration import register
from predicdiff.comparing.similarity import partial_pearson, pearson, similarity
from predicdiff.images import load_image
from predicdiff.methods.sensitivity import sensitivity
from predicdiff.overlays import picture

from .folder import Panel, enlarged
from .jobs import Held
from .maps import UnitMaps
from .pictures import Reading, read_panel

#: Permutations of pictures that are tried, where there are more.
MOST = 10_000
#: Correlation of two pictures' luminance from which they show the same.
SAME = 0.8
#: Units of the net with random weights that are looked at.
RANDOM_UNITS = 100


@dataclass(frozen=True, eq=False)
class Shown:
    """A panel, and the relevance (h, w) that is read from it."""

    panel: Panel
    reading: Reading

    @classmethod
    def read(cls, panel: Panel) -> Shown:
        """From its file."""
        return cls(panel, read_panel(panel))

    @property
    def relevance(self) -> np.ndarray:
        """What was read, (h, w), in units of the panel's scale."""
        return self.reading.relevance

    def agreement(self, relevance: np.ndarray) -> float:
        """Correlation with a map (H, W) as far as the panel shows it; NaN where the map is the same everywhere."""
        return agreement(self.relevance, self.reading.limited(relevance))

    def agreements(self, maps: UnitMaps, units: Sequence[int] | None = None) -> np.ndarray:
        """The same (T,) for the maps of these units, by default of all."""
        return np.array([self.agreement(one) for one in maps.maps(units)])


def agreement(panel: np.ndarray, relevance: np.ndarray) -> float:
    """Pearson's correlation of a panel with a map that it shows the whole of; NaN where either does not vary."""
    aligned, _ = register(panel, relevance, whole=True)
    known = np.isfinite(aligned) & np.isfinite(relevance)
    return pearson(aligned[known], relevance[known])


def own_numbers(shown: Shown, relevance: np.ndarray, pixels: np.ndarray) -> dict[str, Any]:
    """JSON-able: how alike a panel and our map are; and what is left without luminance and edges of the picture."""
    ours = shown.reading.limited(relevance)
    aligned, placement = register(shown.relevance, ours, whole=True)
    figures = similarity(ours, aligned)._asdict()
    figures.pop("top_overlap")
    shift = [edge / size for edge, size in zip(placement.offset, shown.relevance.shape)]
    seen = picture(pixels)
    partial = partial_pearson(ours, aligned, [luminance(seen), edges(seen)])
    return {**figures, "shift": shift, "partial_pearson": partial}


def rank(values: np.ndarray, index: int) -> dict[str, Any]:
    """JSON-able: the place of one of many correlations, 1 where it exceeds all others; those of flat maps come last."""
    known = np.nan_to_num(values, nan=-1.0)
    others = np.delete(known, index)
    return {
        "rank": 1 + int((others >= known[index]).sum()),
        "of": len(values),
        "median": float(np.median(others)),
        "best": float(known.max()),
        "best_index": int(known.argmax()),
    }


def among_units(shown: Shown, one: Held) -> tuple[dict[str, Any], np.ndarray]:
    """The rank of the right unit's map among those of all units of its blob, and their correlations (T,)."""
    values = shown.agreements(one.maps)
    return rank(values, one.index), values


def other_pictures(shown: Shown, one: Held, all_held: Sequence[Held]) -> dict[str, float]:
    """JSON-able: the panel against maps of the same unit, made in the same way, of the other panels' pictures."""
    others = {two.panel.input.stem: two.maps for two in all_held if two.kind == one.kind and two.path != one.path}
    return {name: shown.agreement(maps.map(one.index)) for name, maps in others.items()}


def other_panels(shown: Shown, all_shown: Sequence[Shown]) -> dict[str, float]:
    """JSON-able: the panel against those of other nets of the same picture."""
    mine = _light(shown.panel)
    return {
        other.panel.name: agreement(shown.relevance, other.relevance)
        for other in all_shown
        if other.panel.net != shown.panel.net and pearson(mine, _light(other.panel)) > SAME
    }


def _light(panel: Panel) -> np.ndarray:
    """Luminance of what a net saw, as a vector, at a size that suits all."""
    return luminance(picture(enlarged(load_image(panel.input), (64, 64)))).ravel()


def without_map(shown: Shown, one: Held, net: Any) -> dict[str, Any]:
    """JSON-able: the panel against what is no prediction difference, or none by what the net has learnt.

    A gradient changes from pixel to pixel, so it is averaged over windows too, as relevance is.
    """
    panel, seen = one.panel, picture(one.maps.pixels)
    vector = len(net.blobs[panel.blob]) == 1
    gradient = sensitivity(net, one.maps.pixels, blob=None if vector else panel.blob, unit=(one.index,))
    count = one.random.values.shape[1]
    units = np.random.default_rng(0).choice(count, min(count, RANDOM_UNITS), replace=False)
    random = shown.agreements(one.random, units.tolist())
    return {
        "luminance": agreement(shown.relevance, luminance(seen)),
        "edges": agreement(shown.relevance, edges(seen)),
        "sensitivity": shown.agreement(gradient),
        "sensitivity_over_windows": shown.agreement(uniform_filter(gradient, panel.k)),
        "occlusion": shown.agreement(one.occlusion.map(one.index)),
        "random_weights": shown.agreement(one.random.map(one.index)),
        "random_weights_95": float(np.percentile(np.nan_to_num(random), 95)),
    }


def group_numbers(shown: Sequence[Shown], group: Sequence[Held]) -> tuple[dict[str, Any], np.ndarray]:
    """JSON-able: panels over several pictures, and correlations (n, n) of each with its unit's map of each picture."""
    table = np.array([[mine.agreement(two.maps.map(one.index)) for two in group] for mine, one in zip(shown, group)])
    panel, indices = group[0].panel, {one.index for one in group}
    numbers = {"net": panel.net, "blob": panel.blob, "index": indices.pop() if len(indices) == 1 else "its own",
               "sampler": panel.sampler, "way": group[0].way,
               "pictures": [one.panel.input.stem for one in group]}  # fmt: skip
    return {**numbers, **permuted(table[None])}, table


def permuted(tables: np.ndarray) -> dict[str, Any]:
    """JSON-able: the mean correlation of panels with maps of their own pictures against that of permuted pairs.

    Parameters
    ----------
    tables : (m, n, n) array
        Correlations of n panels with the maps of n pictures, for each of m units; all are permuted alike.

    Returns
    -------
    dict
        ``matched``, ``others``: means of the right pairs and of all wrong ones. ``p``: the part of all permutations,
        the right one among them, whose mean is at least as large.
    """
    table = np.nan_to_num(tables).mean(axis=0)
    size = len(table)
    matched = float(np.trace(table) / size)
    means = np.array([table[np.arange(size), list(order)].mean() for order in _orders(size)])
    others = float((table.sum() - np.trace(table)) / (size * size - size))
    p = float(np.mean(means >= matched - 1e-12))
    return {"matched": matched, "others": others, "p": p, "permutations": len(means)}


def _orders(size: int) -> Iterator[Sequence[int]]:
    """All permutations or, where they are many, the right one and random ones."""
    if math.factorial(size) <= MOST:
        yield from permutations(range(size))
        return
    stream = np.random.default_rng(0)
    yield range(size)
    for _ in range(MOST - 1):
        yield stream.permutation(size).tolist()
