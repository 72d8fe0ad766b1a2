"""From windows' differences to a result: maps, what is known of their errors, notes, provenance."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import Sequence

import numpy as np

from ._version import __version__
from .errors import ExplanationError
from .evidence import Difference
from .explanation import Explanation, Target
from .plan import Analysis, Plan
from .precision import Maps
from .protocols import Json


def assemble(analysis: Analysis, difference: Difference, *, identity: Json, notes: Sequence[str]) -> Explanation:
    """The result of an analysis.

    Parameters
    ----------
    analysis : Analysis
    difference : Difference
        Values and variances (n, T) of all its windows.
    identity : dict
        JSON-able: what was asked for, for the provenance.
    notes : sequence of str
        Those that come first.

    Raises
    ------
    ExplanationError
        If no window has a number.
    """
    readout, targets = analysis.readout, _sources(analysis)
    missing = holes(difference.value)
    maps = _maps(analysis, difference)
    return Explanation(
        relevance=maps.relevance,
        stderr=maps.stderr,
        targets=targets,
        base=np.repeat(readout.base[: len(readout.targets)], len(targets) // len(readout.targets)),
        pixels=analysis.pixels,
        unit="bits" if readout.measure == "evidence" else "activation",
        settings=analysis.record,
        provenance={**identity, "versions": versions()},
        notes=[*notes, *analysis.notes, *missing, *_sampler_notes(analysis)],
        image=analysis.seen.image,
        frame=analysis.seen.frame,
        interpolation_error=maps.left_out,
        reliability=maps.reliability,
        segments=analysis.shapes.labels,
    )


def _maps(analysis: Analysis, difference: Difference) -> Maps:
    """The maps; how reliable they are is not known where draws are always the same ones."""
    maps = analysis.shapes.maps(difference, analysis.origins, interpolates=analysis.settings.interpolates)
    return maps._replace(reliability=None) if analysis.chosen else maps


def holes(values: np.ndarray) -> list[str]:
    """What is said of windows whose draws the net had no number for; an ExplanationError if there are no others."""
    missing = ~np.isfinite(values).all(axis=1)
    if not missing.any():
        return []
    count, windows_in_all = int(missing.sum()), len(missing)
    says = f"the net gave NaN or infinity for draws in {count} of {windows_in_all} windows"
    if not np.isfinite(values).any():
        raise ExplanationError(f"{says}: there is nothing to make a map of. Look at the net for draws like these.")
    return [f"{says[0].upper()}{says[1:]}: the pixels under these are not known, and stay NaN in the map."]


def _sources(plan: Plan) -> list[Target]:
    """A target for each map: with channels apart, each of the plan's for each channel."""
    start = plan.settings.start
    names: list[str | None] = [start]
    if plan.settings.channels_apart:
        names = [f"{start or 'channel'}[{channel}]" for channel in range(len(plan.ground))]
    return [replace(target, source=name) for target in plan.targets for name in names]


def _sampler_notes(analysis: Analysis) -> list[str]:
    notes, population = list(analysis.drawing.notes), analysis.population
    if population == 0:
        return notes  # of the sampler's own, one says what stood in the windows
    if population is not None and population <= analysis.settings.samples:
        notes.append(
            f"Each of the {population} other images was put into each window once: for this corpus the result is "
            "exact, and its standard error of 0 says nothing of images outside it."
        )
    elif population is not None:
        notes.append(
            f"The standard error is that of drawing from the corpus of {population} other images, not of the world."
        )
    return notes


def versions() -> dict[str, str]:
    """Versions of what computed a result."""
    return {"predicdiff": __version__, "python": platform.python_version(), "numpy": np.__version__}
