"""Maps of all units of a blob at once: what each window does to each of them, kept, from which any map is spread."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Sequence

import numpy as np

from predicdiff import windows
from predicdiff._version import __version__
from predicdiff.abilities import net_abilities
from predicdiff.algorithm import first_state
from predicdiff.budget import MEMORY
from predicdiff.cli.options.sampler import channel_order
from predicdiff.errors import ExplanationError
from predicdiff.executors.here import run_tiles
from predicdiff.files import Kind, read, write
from predicdiff.journal import Journal
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.plan import Analysis, make_plan
from predicdiff.presets import LIKES, Like
from predicdiff.protocols import Json, Sampler
from predicdiff.samplers.corpus import bundled, default_corpus, read_folder
from predicdiff.scratch import blocks
from predicdiff.settings import Settings
from predicdiff.units import lookup
from predicdiff.validation import DICT, TEXT, check, floats

from .. import common

#: How draws are made: as in the paper, not clipped, or as in its authors' later code.
WAYS = ("paper", "authors")
KIND = Kind("set of maps", 1, "python -m reproduce.panels DIR", ExplanationError)
#: Maps spread at once, which bounds the memory.
AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class UnitMaps:
    """What windows do to every unit of a blob.

    Attributes
    ----------
    values : (n, T) float32 array
        Differences of n windows for T units: bits for probabilities, otherwise the blob's activation.
    base : (T,) float64 array
        The units' values for the untouched picture.
    pixels : (C, H, W) float32 array
        What the net saw.
    identity : dict
        JSON-able: all that the values depend on.
    """

    values: np.ndarray
    base: np.ndarray
    pixels: np.ndarray
    identity: Json
    version: str = __version__

    def maps(self, units: Sequence[int] | None = None) -> np.ndarray:
        """Relevance (T, H, W) of these units, by default of all."""
        settings = self.identity["settings"]
        shape = (int(self.pixels.shape[1]), int(self.pixels.shape[2]))
        origins = windows.grid(shape, window=settings["window"], stride=settings["stride"])
        values = self.values if units is None else self.values[:, list(units)]
        parts = [
            windows.spread(values[:, start : start + AT_ONCE], origins, window=settings["window"], shape=shape)
            for start in range(0, values.shape[1], AT_ONCE)
        ]
        return np.concatenate(parts)

    def map(self, unit: int) -> np.ndarray:
        """Relevance (H, W) of one unit."""
        only: np.ndarray = self.maps([unit])[0]
        return only


def _as_they_were(parts: dict[str, Any]) -> UnitMaps:
    """Maps of a file's parts, held against what they are; a FormatError if they are otherwise."""
    check(parts, {"identity": DICT, "version": TEXT})
    floats(parts["base"], "base", (-1,))
    floats(parts["values"], "values", (-1, len(parts["base"])))
    floats(parts["pixels"], "pixels", (-1, -1, -1))
    return UnitMaps(**parts)


@dataclass
class UnitsJob:
    """The maps of all units to make, kept in ``path``; for `common.work`."""

    analysis: Analysis
    path: Path

    @property
    def done(self) -> UnitMaps | None:
        """What an earlier run with the same settings made."""
        try:
            kept = read(self.path, KIND, _as_they_were)
        except ExplanationError:
            return None
        return kept if kept.identity == self.analysis.identity and kept.version == __version__ else None

    def make(self) -> UnitMaps:
        """Evaluate the windows that an interrupted run has left, and keep the differences, rounded to float32."""
        analysis = self.analysis
        tiles_path = self.path.with_name(self.path.name + ".tiles")
        journal = Journal(tiles_path, analysis.identity, first_state(analysis, MEMORY, None))
        with journal, common.windows_bar(analysis, self.path.stem) as progress:
            tiles = analysis.tiles(int(journal.state["tile"]))
            run_tiles(analysis, tiles, journal, progress)
            values = [journal.tiles[number][0].astype(np.float32) for number in range(len(tiles))]
        made = UnitMaps(np.concatenate(values), analysis.readout.base, analysis.pixels, analysis.identity)
        arrays = {name: getattr(made, name) for name in ("values", "base", "pixels")}
        write(self.path, KIND, arrays, {"identity": made.identity, "version": made.version})
        journal.remove()
        return made


class Corpus(NamedTuple):
    """What is drawn from: images (m, C, H, W) as a net sees them, and their names."""

    images: np.ndarray
    names: Sequence[str]

    @classmethod
    def of(cls, net: Any, folder: Path | None, like: Like, seed: int, exclude: np.ndarray | None = None) -> Corpus:
        """A folder's, brought to the net's size as ``like`` has it: the authors only cropped; or the bundled ones.

        Of these none shows the scene of ``exclude``, pixels (C, H, W).
        """
        if folder is None:
            return cls(*default_corpus(net.input_shape, exclude, view=net.view, seed=seed))
        preprocessing = like.preprocessing(net.preprocessing) or Preprocessing()
        images, names, _skipped = read_folder(folder, lambda image: preprocessing.pixels(image, net.input_shape))
        return cls(images, names)


@dataclass
class Samplers:
    """Samplers made of one corpus, each once."""

    net: Any
    folder: Path | None
    seed: int
    corpora: dict[str, Corpus]
    made: dict[tuple[str, str, int], Sampler] = field(default_factory=dict)

    @classmethod
    def of(cls, net: Any, corpus: Path | None, seed: int) -> Samplers:
        """Of a folder's photographs, by default of the bundled ones; each way sees them as it sees all images."""
        return cls(net, corpus, seed, {way: Corpus.of(net, corpus, LIKES[way], seed) for way in WAYS})

    @property
    def count(self) -> int:
        """How many photographs there are."""
        return len(self.corpora[WAYS[0]].images)

    def photographs(self, way: str) -> Iterable[np.ndarray]:
        """What a way's corpus is made of, each whole, as the net sees it."""
        if self.folder is not None:
            return (image for block in blocks(self.corpora[way].images) for image in block)
        return (self.net.view(image) for image in bundled().values())

    def get(self, way: str, kind: str, context: int, pixels: np.ndarray) -> Sampler:
        """That of a way for a picture, made anew only where the picture is to be in its corpus, or to be left out."""
        like, key, corpus = LIKES[way], (way, kind, context), self.corpora[way]
        known = any(np.array_equal(image, pixels) for image in self.photographs(way))
        own = known or like.with_explained
        if own or key not in self.made:
            if known and self.folder is None:
                corpus = Corpus.of(self.net, None, like, self.seed, exclude=pixels)
            order = channel_order(net_abilities(self.net))
            sampler = like.sampler(
                kind, corpus.images, pixels, context=context, order=order, names=corpus.names, seed=self.seed
            )
            if own:
                return sampler
            self.made[key] = sampler
        return self.made[key]


def units_job(
    path: Path, net: Any, pixels: np.ndarray, sampler: Sampler, *, blob: str, instances: int | None = None, **how: Any
) -> UnitsJob:
    """Maps of every class of a vector, or of the mean of every map.

    Parameters
    ----------
    pixels : (C, H, W) float array
    instances : int, optional
        N of Laplace's correction, by default the net's.
    **how
        ``window``, ``samples``, ``stride`` and ``seed``, as `Settings` has them; no stride is above the window.
    """
    shape = lookup(net.blobs, blob)
    every = {"units": range(shape[0])} if len(shape) == 1 else {"channels": range(shape[0])}
    how["stride"] = min(how["stride"], how["window"])
    settings = Settings(blob=blob, training_instances=instances, between="none", **every, **how)
    return UnitsJob(make_plan(net, pixels, settings).with_sampler(sampler), path)
