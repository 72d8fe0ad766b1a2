"""Does a map depend on what the net has learnt? The parameter-randomisation check, from the top layer down.

References
----------
J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim, "Sanity checks for saliency maps", NeurIPS 2018,
arXiv:1810.03292.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Mapping, Sequence

import numpy as np

from ..abilities import net_abilities
from ..assembly import versions
from ..comparing.similarity import similarity
from ..errors import SettingsError
from ..methods.method import MapFunction
from ..methods.prepared import Prepared, check_images, prepare
from ..methods.registry import DIFFERENCE
from ..protocols import Json, Net, Progress, Sampler, Unit
from ..targets import observed, predicted, see
from ..units import check_progress, whole_number
from ..windows import WindowLike
from .random_weights import randomised, weighted_layers

#: How many depths are looked at by default, from the topmost layer alone to all.
DEPTHS = 6


@dataclass(frozen=True, eq=False)
class Randomisation:
    """Rank correlations of a net's maps with those of copies with random layers, beside those of two seeds.

    Attributes
    ----------
    method : str
    images : list of str
    layers : list of str
        With weights, from the top down.
    depths : list of int
        How many of them were random.
    signed, absolute : (d, n) float64 arrays
        Spearman's correlation of maps and of their magnitudes, for depths and images; 0 where one of the maps is flat.
    seeds_signed, seeds_absolute : (n,) float64 arrays
        The same for two seeds of the untouched net.
    flat : (d,) int array
        Of how many images the map was the same everywhere: a random net may be so sure of another class that no
        window changes anything.
    settings, provenance : dict
        JSON-able.
    """

    method: str
    images: list[str]
    layers: list[str]
    depths: list[int]
    signed: np.ndarray
    absolute: np.ndarray
    seeds_signed: np.ndarray
    seeds_absolute: np.ndarray
    flat: np.ndarray
    settings: Json
    provenance: Json

    @property
    def below(self) -> np.ndarray:
        """(d,) bool: whether both mean correlations are below those of the seeds."""
        signed = self.signed.mean(axis=1) < self.seeds_signed.mean()
        below: np.ndarray = signed & (self.absolute.mean(axis=1) < self.seeds_absolute.mean())
        return below

    @property
    def passed(self) -> bool:
        """Whether the map changes with every depth more than it does with the seed."""
        return bool(self.below.all())

    @property
    def verdict(self) -> str:
        """Whether it passed, and by how much, in a sentence or two."""
        seeds = f"two seeds have ({self.seeds_signed.mean():.3f})"
        failed = ", ".join(str(depth) for depth, below in zip(self.depths, self.below) if not below)
        if self.passed:
            text = (
                f"Passed: however many layers are random, the map of {self.method!r} has less in common with the "
                f"untouched net's than {seeds}; with {self.depths[-1]} it comes down to {self.signed[-1].mean():.3f}."
            )
        else:
            text = (
                f"Failed: with {failed} random layers the map of {self.method!r} has as much in common with the "
                f"untouched net's as {seeds}."
            )
        if self.flat.any():
            text += f" Of {self.flat.sum()} of {self.signed.size} pairs one map is flat, which counts as 0."
        return text

    def table(self) -> str:
        """Markdown: mean correlations at each depth, those of the seeds, and the verdict below."""
        rows = [
            ["random layers", "down to", "correlation", "of magnitudes", "below the seeds'"],
            ["---"] * 5,
            ["none, another seed", "", _mean(self.seeds_signed), _mean(self.seeds_absolute), ""],
        ]
        for depth, signed, absolute, below in zip(self.depths, self.signed, self.absolute, self.below):
            where = f"{depth} of {len(self.layers)}"
            lowest = self.layers[depth - 1] or "the module itself"  # its own weights, in no submodule
            rows.append([where, lowest, _mean(signed), _mean(absolute), "yes" if below else "no"])
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        return f"{table}\n\n{self.verdict}"

    def as_dict(self) -> Json:
        """JSON-able: all of it."""
        arrays = ("signed", "absolute", "seeds_signed", "seeds_absolute", "flat")
        return {
            "method": self.method, "images": self.images, "layers": self.layers, "depths": self.depths,
            **{name: getattr(self, name).tolist() for name in arrays},
            "passed": self.passed, "verdict": self.verdict, "settings": self.settings, "provenance": self.provenance,
        }  # fmt: skip


def randomisation(
    net: Net,
    images: Mapping[str, np.ndarray],
    *,
    method: str | MapFunction = DIFFERENCE,
    sampler: Sampler | None = None,
    window: WindowLike = 10,
    samples: int = 4,
    stride: int | None = None,
    depths: Sequence[int] | None = None,
    how: str = "permute",
    seed: int = 0,
    blob: str | None = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Randomisation:
    """Hold a net's maps against those of copies whose layers are random from the top down.

    The map of the untouched net comes from ``seed``; that of each copy, and the untouched net's second one, from
    ``seed + 1``: the copies differ from the second one in their weights alone. The class explained is that which the
    untouched net predicts.

    Parameters
    ----------
    net : Net
        From `load_net`.
    images : {name: (C, H, W) float array, (H, W, 3) array or PIL image}
        Pixels as ``net.view`` gives them, or RGB images.
    method : str or function
        One of `methods.registry.names`, or a function (net, pixels, unit, seed) -> map (H, W).
    sampler, window, samples, stride
        As for `faithfulness.faithfulness`.
    depths : sequence of int, optional
        Numbers of random layers, ascending; by default six from 1 to all.
    how : {"permute", "normal"}
        See `random_weights.randomised`.
    seed : int
    blob, memory
        As for `faithfulness.faithfulness`.
    progress : callable, optional
        Called with (maps done, maps in all).

    Returns
    -------
    Randomisation

    Raises
    ------
    PredicdiffError
        One of its kinds, if something does not fit.
    """
    check_images(images)
    check_progress(progress)
    _check(seed)
    layers = weighted_layers(net)[::-1]
    chosen = _depths(len(layers), depths)
    label = method if isinstance(method, str) else getattr(method, "__name__", "a function")
    reading = {"blob": blob, "memory": memory}
    blob = observed(net, blob)
    ready = prepare(
        net, [method] if isinstance(method, str) else {label: method},
        sampler=sampler, window=window, samples=samples, stride=stride, seed=seed, **reading,
    )  # fmt: skip
    abilities = net_abilities(net)
    seen = [see(net, abilities, image)[0] for image in images.values()]
    units = [predicted(net, pixels, blob) for pixels in seen]
    work = _Work(ready, label, seen, units, progress, len(seen) * (len(chosen) + 2))
    (signed, absolute), seeds = _held_against(net, work, chosen, how, seed)
    return Randomisation(
        method=label, images=list(images), layers=layers, depths=chosen, signed=np.nan_to_num(signed),
        absolute=np.nan_to_num(absolute), flat=np.isnan(signed).sum(axis=1),
        seeds_signed=seeds[0], seeds_absolute=seeds[1],
        settings={
            "how": how, "seed": seed, "windows": ready.windows, "blob": blob, "units": [list(unit) for unit in units]
        },
        provenance={"name": net.name, "net": dict(net.provenance), "sampler": ready.provenance, "versions": versions()},
    )  # fmt: skip


def _check(seed: int) -> None:
    if not 0 <= whole_number("seed", seed) < 2**64 - 1:
        raise SettingsError(f"seed {seed} is out of range: want 0 to 2**64 - 2, since the next one is used too.")


@dataclass
class _Work:
    """Makes maps of all images and counts them."""

    ready: Prepared
    label: str
    seen: list[np.ndarray]
    units: list[Unit]
    progress: Progress | None
    total: int
    done: int = 0

    def maps(self, net: Net, seed: int) -> list[np.ndarray]:
        """One map of each image."""
        maps = []
        for pixels, unit in zip(self.seen, self.units):
            maps.append(self.ready.map(self.label, net, pixels, unit, seed))
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total)
        return maps


def _held_against(net: Net, work: _Work, depths: Sequence[int], how: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlations with the maps of a net's copies, (2, d, n), NaN where one is flat, and of another seed, (2, n)."""
    first, second = work.maps(net, seed), work.maps(net, seed + 1)
    correlations = []
    for depth in depths:
        # no name for the copy, lest it live until there is the next: VGG16's takes half a gigabyte
        maps = work.maps(randomised(net, layers=depth, seed=seed, how=how), seed + 1)
        correlations.append(_correlations(first, maps))
    return np.stack(correlations, axis=1), np.nan_to_num(_correlations(first, second))


def _correlations(first: list[np.ndarray], other: list[np.ndarray]) -> np.ndarray:
    """Spearman's of maps, and of their magnitudes, (2, n); NaN where a map is the same everywhere."""
    pairs = list(zip(first, other))
    signed = [similarity(a, b).spearman for a, b in pairs]
    return np.array([signed, [similarity(np.abs(a), np.abs(b)).spearman for a, b in pairs]])


def _depths(count: int, depths: Sequence[int] | None) -> list[int]:
    if depths is None:
        return sorted({int(depth) for depth in np.rint(np.linspace(1, count, min(DEPTHS, count)))})
    if not isinstance(depths, Iterable):
        raise SettingsError(f"depths = {depths!r}: want a list of numbers of layers, 1 to {count}, ascending.")
    chosen = list(depths)
    if not chosen or any(depth not in range(1, count + 1) for depth in chosen) or sorted(set(chosen)) != chosen:
        raise SettingsError(f"depths = {chosen}: want numbers of layers, 1 to {count}, ascending.")
    return [int(depth) for depth in chosen]


def _mean(values: np.ndarray) -> str:
    """The mean, and the range where there are several."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"
