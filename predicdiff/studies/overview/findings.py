"""What a study says: the numbers, and in words, as tables and as a figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...protocols import Json
from .numbers import counted, extreme, listed, median, number, percent, place
from .results import Image, named
from .tables import Table, aligned, facts_lines, page
from .totals import COLUMNS, ROWS

#: Rows of a table that are shown where nothing else is said.
TOP = 10


class Seen(NamedTuple):
    """A map that was counted.

    Attributes
    ----------
    image : Image
    title : str
        The class, or what else the map explains.
    base : float
        The target's value for the untouched image, a probability where evidence is in bits.
    correlation : float
        Pearson's correlation with the mean of the others; NaN where there is none, or either is the same everywhere.
    """

    image: Image
    title: str
    base: float
    correlation: float = np.nan


class ClassEvidence(NamedTuple):
    """The evidence of all maps of a class.

    Attributes
    ----------
    name : str
    maps : int
    base : float
        Mean value for the untouched images, a probability where evidence is in bits.
    highest : float
        Mean of the maps' largest relevance.
    evidence_for, evidence_against : float
        Means over maps of the positive part, and of the negative part without its sign, a pixel.
    share : float
        The part of the whole study's evidence, for and against, that is in maps of this class.
    """

    name: str
    maps: int
    base: float
    highest: float
    evidence_for: float
    evidence_against: float
    share: float


@dataclass(frozen=True, eq=False)
class Summary:
    """What `summary` finds.

    Attributes
    ----------
    folder : Path
    made : str
        The net and the sampler.
    unit : {"bits", "activation"}
    target : int
        Which map of each image the mean, the spread, the places and the correlation are of, from 0.
    seen : list of Seen
        The maps counted, in the order of the index.
    failed, lost, without : int
        Images that failed when the study was made; results that could not be read or do not fit; and images that have
        no such target.
    mean, spread, above : (H, W) float64 arrays
        Mean and standard deviation over the maps, and the part of them that is above zero; NaN where unknown.
    places_for, places_against : (3, 3) float64 arrays
        The part of all evidence for, or against, that lies in each third of the rows and of the columns.
    classes : list of ClassEvidence
        Over all targets of each image, those with most of the study's evidence first.
    ground : (h, w, 3) uint8 array
        The mean of what the net saw.
    """

    folder: Path
    made: str
    unit: str
    target: int
    seen: list[Seen]
    failed: int
    lost: int
    without: int
    mean: np.ndarray
    spread: np.ndarray
    above: np.ndarray
    places_for: np.ndarray
    places_against: np.ndarray
    classes: list[ClassEvidence]
    ground: np.ndarray

    def unlike(self, count: int = TOP) -> list[Seen]:
        """The maps that are least like the mean of the others, the most unlike first."""
        return sorted((one for one in self.seen if np.isfinite(one.correlation)), key=lambda one: one.correlation)[
            :count
        ]

    def facts(self) -> list[tuple[str, str]]:
        """Names and values of what no table holds."""
        height, width = self.mean.shape
        maps = counted(len(self.seen), "map")
        facts = [
            ("study", named(self.folder, self.made)),
            (
                "maps",
                f"{maps} of {height} x {width} in {self.unit}: target {self.target} of each image, whatever its class",
            ),
        ]
        left_out = [
            (self.failed, "failed when the study was made"),
            (self.lost, "cannot be used"),
            (self.without, f"without a target {self.target}"),
        ]
        told = ", ".join(f"{count} {why}" for count, why in left_out if count)
        facts += [("left out", told)] if told else []
        facts += [("mean map", f"highest {place(extreme(self.mean))}, lowest {place(extreme(self.mean, lowest=True))}")]
        spread = self.spread[np.isfinite(self.spread)]
        if spread.size:
            told = f"median {np.median(spread):.3g}, highest {place(extreme(self.spread))}"
            facts += [("spread", f"standard deviation over the maps: {told}")]
        correlation = [one.correlation for one in self.unlike(len(self.seen))]
        if correlation:
            middle = f"mean {np.mean(correlation):.3f}, median {np.median(correlation):.3f}"
            told = f"{middle}, from {min(correlation):.3f} to {max(correlation):.3f}"
            facts += [("correlation", f"Pearson's correlation of a map with the mean of the others: {told}")]
        elif len(self.seen) == 1:
            facts += [("correlation", "there is one map alone, and no others that it could be unlike")]
        return facts

    def tables(self, top: int = TOP) -> list[Table]:
        """Places, classes and the most unlike images, at most ``top`` rows of the latter two."""
        shares = zip(ROWS, self.places_for, self.places_against)
        heads = ["", *(f"for, {name}" for name in COLUMNS), *(f"against, {name}" for name in COLUMNS)]
        rows = [[name, *(percent(share) for share in (*row, *other))] for name, row, other in shares]
        even = "thirds of the map's rows and columns; spread evenly, each would have about 11 %"
        tables = [Table("Share of all evidence, by place", heads, rows, note=even), self._classes(top)]
        unlike = [[one.image.file, one.title, f"{one.correlation:.3f}"] for one in self.unlike(top)]
        if unlike:
            heads = ["image", "class", "correlation"]
            note = "Pearson's correlation with the mean of all other maps, lowest first"
            tables.append(Table("Images whose maps are most unlike the others", heads, unlike, 2, note))
        return tables

    def _classes(self, top: int) -> Table:
        base = "probability" if self.unit == "bits" else "value"
        heads = ["class", "maps", base, "highest", "for", "against", "share"]
        rows = [
            [
                one.name, str(one.maps), f"{one.base:.3g}", f"{one.highest:.3g}", f"{one.evidence_for:.3g}",
                f"{one.evidence_against:.3g}", percent(one.share),
            ]
            for one in self.classes[:top]
        ]  # fmt: skip
        more = f"the first {top} of {len(self.classes)} classes; " if len(self.classes) > top else ""
        unit = "bits" if self.unit == "bits" else "units of activation"
        note = f"{more}all targets of each image count; means over maps, for and against in {unit} a pixel"
        return Table("Classes with most evidence", heads, rows, note=note)

    def lines(self, top: int = TOP) -> list[str]:
        """All of it in words, for a terminal."""
        return [*facts_lines(self.facts()), *(line for table in self.tables(top) for line in aligned(table))]

    def page(self, top: int = TOP) -> bytes:
        """The same as a page of Markdown."""
        return page("What a study says", self.facts(), self.tables(top))

    def as_dict(self) -> Json:
        """JSON-able: every number but the maps themselves, of which there are the extremes."""
        return {
            "kind": "summary of a study", "study": str(self.folder), "made": self.made, "unit": self.unit,
            "target": self.target, "shape": list(self.mean.shape), "maps": len(self.seen), "failed": self.failed,
            "lost": self.lost, "without": self.without,
            "mean": {"highest": extreme(self.mean), "lowest": extreme(self.mean, lowest=True)},
            "spread": {"median": median(self.spread), "highest": extreme(self.spread)},
            "places": {"for": listed(self.places_for), "against": listed(self.places_against)},
            "classes": [
                {name: number(part) if isinstance(part, float) else part for name, part in one._asdict().items()}
                for one in self.classes
            ],
            "images": [
                {
                    "file": one.image.file, "sha256": one.image.sha256, "result": one.image.path.name,
                    "class": one.title, "base": number(one.base), "correlation": number(one.correlation),
                }
                for one in self.seen
            ],
        }  # fmt: skip
