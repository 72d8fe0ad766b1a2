"""Claim j: the classifiers decide differently."""

from __future__ import annotations

from typing import Iterator

from .classes import class_maps
from .correlating import Alike, alike, average
from .finding import Finding
from .line import Size
from .study import Subject


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """The map of the net's first class, and the same class's in each other net of these classes."""
    found = list(_against_others(subject, size))
    if not found:
        return {}
    mean = average(found)
    beside = {"as measured": mean.measured, "reliability here": mean.first, "reliability there": mean.second}
    return {"j": Finding(mean.corrected, {"the same map": 1.0}, beside)}


def _against_others(subject: Subject, size: Size) -> Iterator[Alike]:
    """One for each net that was shown the photograph, among its first ones too, and has the same classes."""
    for other in subject.study.others.values():
        there = subject.counterpart(other)
        if there is None or there.number >= size.photographs or _classes(subject) != _classes(there):
            continue
        maps = [class_maps(one, size, one.net.scores).of(subject.unit) for one in (subject, there)]
        if maps[0].shape == maps[1].shape:  # else their grids are not those of the same part of the picture
            yield alike(*maps)


def _classes(subject: Subject) -> list[str]:
    return [str(label) for label in subject.net.labels or []]
