"""What measures each claim: a function in a file of its own, by the claim's letter."""

from __future__ import annotations

from typing import Callable, Mapping

from . import classes, deciding, draws, durations, outlines, patches, pixels, sharpness, sparseness, surroundings
from .finding import Finding
from .line import Size
from .study import Subject

#: Measures one photograph before one net: `Finding`s by the names of the claim's lines. Where it can't be measured of
#: this photograph, such as a class of which there is none alike, it gives none.
Measure = Callable[[Subject, Size], Mapping[str, Finding]]

MEASURES: dict[str, Measure] = {
    "a": sharpness.measure,
    "b": surroundings.measure,
    "c": pixels.measure,
    "d": patches.measure,
    "e": outlines.measure,
    "f": classes.measure,
    "g": sparseness.measure,
    "h": draws.measure,
    "i": durations.measure,
    "j": deciding.measure,
}
