"""What two studies have in common: the numbers, and in words, as tables and as a figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...comparing.comparison import NAMES, called
from ...comparing.similarity import Similarity
from ...errors import SettingsError
from ...judging.bootstrap import RESAMPLES, interval
from ...protocols import Json
from .findings import TOP
from .matching import Match, Targets
from .numbers import number
from .results import named
from .tables import Table, aligned, facts_lines, page

#: Draws of a bootstrap, of which many images need fewer resamples, and the fewest resamples.
MOST_DRAWS, FEWEST = 2 * 10**7, 1000


class Side(NamedTuple):
    """One of the two studies.

    Attributes
    ----------
    folder : Path
    made : str
        The net and the sampler.
    alone : int
        Images that the other has not.
    lost : int
        Results that could not be read or compared.
    """

    folder: Path
    made: str
    alone: int
    lost: int


class Pair(NamedTuple):
    """The maps of one image in both studies.

    Attributes
    ----------
    match : Match
    targets : Targets
    titles : (str, str)
        The classes.
    similarity : Similarity
        Of the two maps.
    null : Similarity or None
        Of the second map with the first study's map of another image; None where there is one image alone.
    """

    match: Match
    targets: Targets
    titles: tuple[str, str]
    similarity: Similarity
    null: Similarity | None


class Mean(NamedTuple):
    """A mean over images with its 95 % bootstrap interval, which is NaN for one image, and how many images it is of."""

    value: float
    low: float
    high: float
    images: int


@dataclass(frozen=True, eq=False)
class Agreement:
    """What `agreement` finds.

    Attributes
    ----------
    first, second : Side
    pairs : list of Pair
        One for each image that both have, in the order of the first study.
    without : int
        Images in common of which either study has no map with the number asked for, nor of a class of the other.
    target : int
    top : float
        The part of the pixels whose overlap was taken.
    seed : int
    notes : list of str
        How maps came together.
    """

    first: Side
    second: Side
    pairs: list[Pair]
    without: int
    target: int
    top: float
    seed: int
    notes: list[str]

    @property
    def lost(self) -> int:
        """Results of both that could not be used."""
        return self.first.lost + self.second.lost

    def values(self, name: str) -> np.ndarray:
        """A figure of `Similarity` for each image, (n,) float64; NaN where it has no meaning."""
        return np.array([getattr(pair.similarity, _known(name)) for pair in self.pairs])

    def nulls(self, name: str) -> np.ndarray:
        """The same of the null, (n,) float64; NaN where there is none."""
        nulls = [pair.null for pair in self.pairs]
        return np.array([np.nan if null is None else getattr(null, _known(name)) for null in nulls])

    def mean(self, name: str, *, null: bool = False) -> Mean:
        """The mean of a figure, or of its null, over the images that have it."""
        return self._means[_known(name)][null]

    @cached_property
    def _means(self) -> dict[str, tuple[Mean, Mean]]:
        """Of each figure and its null; intervals of many images take their time."""
        return {name: (_mean(self.values(name), self.seed), _mean(self.nulls(name), self.seed)) for name in NAMES}

    def above(self, name: str) -> tuple[int, int]:
        """In how many images a figure exceeds its own null, and of how many."""
        values, nulls = self.values(name), self.nulls(name)
        both = np.isfinite(values) & np.isfinite(nulls)
        return int((values[both] > nulls[both]).sum()), int(both.sum())

    def least(self, count: int = TOP) -> list[Pair]:
        """The images whose maps correlate least, the least first."""
        pairs = [pair for pair in self.pairs if np.isfinite(pair.similarity.pearson)]
        return sorted(pairs, key=lambda pair: pair.similarity.pearson)[:count]

    def facts(self) -> list[tuple[str, str]]:
        """Names and values of what no table holds."""
        facts = [
            (name, named(side.folder, side.made))
            for name, side in (("first study", self.first), ("second study", self.second))
        ]
        facts.append(("images", f"{len(self.pairs)} compared{self._left_out()}"))
        alike = sum(pair.targets.alike for pair in self.pairs)
        others = f"target {self.target} of both, whose classes differ, of {len(self.pairs) - alike}"
        facts.append(
            (
                "maps",
                f"of the same class in both of {alike} images" + ("" if alike == len(self.pairs) else f", {others}"),
            )
        )
        return [*facts, *(("note", note) for note in self.notes)]

    def _left_out(self) -> str:
        counts = [
            (self.first.alone, "in the first study alone"),
            (self.second.alone, "in the second alone"),
            (self.lost, "results that cannot be used"),
            (self.without, f"without a target {self.target} in both"),
        ]
        return "".join(f", {count} {why}" for count, why in counts if count)

    def tables(self, top: int = TOP) -> list[Table]:
        """The figures with their nulls, and the images that agree least, at most ``top``."""
        rows = []
        for name in NAMES:
            higher, count = self.above(name)
            null = self.mean(name, null=True)
            above = f"{higher} of {count}" if count else "-"
            rows.append([called(name, self.top), _told(self.mean(name)), _told(null), above])
        heads = ["", "mean [95 %]", "other images [95 %]", "above it"]
        note = (
            "means over images with bootstrap intervals; other images: the second study's maps held against the "
            "first's maps of other images"
        )
        tables = [Table("Agreement of the two studies' maps", heads, rows, note=note)]
        least = [
            [pair.match.first.file, *pair.titles, *(f"{value:.3f}" for value in pair.similarity[:4])]
            for pair in self.least(top)
        ]
        if least:
            heads = [
                "image",
                "class in the first",
                "in the second",
                "Pearson",
                "Spearman",
                "signs",
                f"top {100 * self.top:g} %",
            ]
            tables.append(
                Table("Images on which they agree least", heads, least, 3, "lowest Pearson correlation first")
            )
        return tables

    def lines(self, top: int = TOP) -> list[str]:
        """All of it in words, for a terminal."""
        return [*facts_lines(self.facts()), *(line for table in self.tables(top) for line in aligned(table))]

    def page(self, top: int = TOP) -> bytes:
        """The same as a page of Markdown."""
        return page("How far two studies agree", self.facts(), self.tables(top))

    def as_dict(self) -> Json:
        """JSON-able: every number."""
        means = {}
        for name in NAMES:
            higher, count = self.above(name)
            parts = {"mean": self.mean(name), "null": self.mean(name, null=True)}
            means[name] = {
                **{key: {part: number(value) for part, value in mean._asdict().items()} for key, mean in parts.items()},
                "above_null": higher, "with_null": count,
            }  # fmt: skip
        return {
            "kind": "agreement of two studies",
            "studies": [{**side._asdict(), "folder": str(side.folder)} for side in (self.first, self.second)],
            "target": self.target, "top": self.top, "seed": self.seed, "without": self.without, "notes": self.notes,
            "figures": means, "images": [_record(pair) for pair in self.pairs],
        }  # fmt: skip


def _known(name: str) -> str:
    if name not in NAMES:
        raise SettingsError(f"figure {name!r} is unknown: want one of {', '.join(NAMES)}.")
    return name


def _mean(values: np.ndarray, seed: int) -> Mean:
    values = values[np.isfinite(values)]
    if not values.size:
        return Mean(np.nan, np.nan, np.nan, 0)
    resamples = max(FEWEST, min(RESAMPLES, MOST_DRAWS // len(values)))
    low, high = interval(values, seed=seed, resamples=resamples)
    return Mean(float(values.mean()), float(low), float(high), len(values))


def _told(mean: Mean) -> str:
    if not mean.images:
        return "-"
    inside = "" if np.isnan(mean.low) else f" [{mean.low:.3f}, {mean.high:.3f}]"
    return f"{mean.value:.3f}{inside}"


def _record(pair: Pair) -> Json:
    return {
        "file": pair.match.first.file, "sha256": pair.match.first.sha256, "other_file": pair.match.second.file,
        "results": [image.path.name for image in pair.match], "targets": list(pair.targets[:2]),
        "classes": list(pair.titles), "same_class": pair.targets.alike, **_figures(pair.similarity),
        "null": None if pair.null is None else _figures(pair.null),
    }  # fmt: skip


def _figures(similarity: Similarity) -> Json:
    return {name: number(value) for name, value in similarity._asdict().items()}
