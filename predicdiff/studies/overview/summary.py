"""What the maps of a study say together: their mean and spread, places, classes, and images unlike the others.

Maps are read one after the other, twice, and none is kept: what is kept grows by a few numbers an image.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Iterator

import numpy as np

from ...comparing.similarity import pearson
from ...errors import SettingsError
from ...explanation import Explanation, finite
from ...protocols import Progress
from ...units import check_progress, whole_number
from .findings import ClassEvidence, Seen, Summary
from .results import Image, Results, made_by, open_study
from .totals import MapSums, PictureSums


def summary(folder: str | Path, *, target: int = 0, progress: Progress | None = None) -> Summary:
    """What the maps of a study's folder say together.

    Parameters
    ----------
    folder : path
        Of a study, with its index and a result for each image.
    target : int
        Which map of each image counts for the mean, the spread, the places and the correlation. Classes count over all.
    progress : callable, optional
        Called with (maps read, maps to read); each is read twice.

    Returns
    -------
    Summary

    Raises
    ------
    ExplanationError
        If the folder is no study, or none of its results can be read.
    SettingsError
        If no image has such a target.

    Warns
    -----
    InputWarning
        Of each result that is missing or damaged, or whose maps are of another size or unit than the first one's.
    """
    check_progress(progress)
    if whole_number("target", target) < 0:
        raise SettingsError(f"target = {target}: want a number from 0.")
    study = open_study(folder)
    reader = _Reader(study, target, progress)
    for image in study.images:
        reader.take(image)
    return reader.finish()


class _Reader:
    """The two readings of a study."""

    def __init__(self, study: Results, target: int, progress: Progress | None) -> None:
        self.study, self.target, self.progress = study, target, progress
        self.read = self.without = 0
        self.seen: list[Seen] = []
        self.first: Explanation | None = None
        self.classes: dict[str, np.ndarray] = {}

    def take(self, image: Image) -> None:
        """Read a result for the first time."""
        explanation = self._load(image)
        if explanation is None or not self._fits(image, explanation):
            return
        for one in range(len(explanation)):
            self._count_class(explanation, one)
        if self.target >= len(explanation):
            self.without += 1
            return
        self.maps.add(explanation.relevance[self.target])
        self.pictures.add(explanation.pixels, explanation.tones)
        self.seen.append(Seen(image, explanation.targets[self.target].title, float(explanation.base[self.target])))

    def finish(self) -> Summary:
        """Read those that counted again, and sum up."""
        self.study.check_any(len(self.seen) + self.without)
        if not self.seen or self.first is None:
            raise SettingsError(
                f"target {self.target}: no image of {self.study.folder} has one of that number; 0 is the first."
            )
        places_for, places_against = self.maps.places()
        return Summary(
            folder=self.study.folder, made=made_by(self.first), unit=self.first.unit, target=self.target,
            seen=list(self._likened()), failed=self.study.failed, lost=self.study.lost, without=self.without,
            mean=self.maps.mean, spread=self.maps.spread, above=self.maps.above, places_for=places_for,
            places_against=places_against, classes=_ordered(self.classes), ground=self.pictures.mean,
        )  # fmt: skip

    def _load(self, image: Image) -> Explanation | None:
        explanation = self.study.load(image)
        self._tell()
        return None if explanation is None else replace(explanation, relevance=finite(explanation.relevance))

    def _tell(self) -> None:
        self.read += 1
        if self.progress is not None:
            self.progress(self.read, 2 * len(self.study.images))

    def _fits(self, image: Image, explanation: Explanation) -> bool:
        """Whether the maps are like the first one's, and so of the same net."""
        if self.first is None:
            self.first = explanation.pick(0)
            self.maps = MapSums(explanation.relevance.shape[1:])
            self.pictures = PictureSums(explanation.pixels.shape[1:])
        shapes = [(one.relevance.shape[1:], one.pixels.shape[1:], one.unit) for one in (explanation, self.first)]
        if shapes[0] == shapes[1]:
            return True
        told = [f"{shape[0][0]} x {shape[0][1]} pixels in {shape[2]}" for shape in shapes]
        self.study.lose(f"{image.path}: its map has {told[0]}, where the others' have {told[1]}.")
        return False

    def _count_class(self, explanation: Explanation, one: int) -> None:
        """Add up maps, values, highest relevance, evidence for and evidence against of a target's class."""
        values = explanation.relevance[one]
        values = values[np.isfinite(values)]
        if values.size:
            positive, negative = (np.maximum(sign * values, 0.0).mean() for sign in (1, -1))
            new = np.array([1.0, explanation.base[one], values.max(), positive, negative])
            title = explanation.targets[one].title
            self.classes[title] = self.classes.get(title, 0.0) + new

    def _likened(self) -> Iterator[Seen]:
        for one in self.seen:
            values = finite(Explanation.load(one.image.path).relevance[self.target])
            self._tell()
            others = self.maps.others(values)
            known = np.isfinite(values) & np.isfinite(others)
            yield one._replace(correlation=pearson(values[known], others[known]))


def _ordered(classes: dict[str, np.ndarray]) -> list[ClassEvidence]:
    """Means over each class's maps, and its share of all evidence."""
    total = sum(sums[3] + sums[4] for sums in classes.values())
    found = []
    for name, sums in classes.items():
        base, highest, positive, negative = (float(value) for value in sums[1:] / sums[0])
        share = float((sums[3] + sums[4]) / total) if total > 0 else np.nan
        found.append(ClassEvidence(name, int(sums[0]), base, highest, positive, negative, share))
    return sorted(found, key=lambda one: (-one.share if total > 0 else 0.0, one.name))
