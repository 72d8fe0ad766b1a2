"""Claim i, reported: how long an image takes here, with the paper's settings."""

from __future__ import annotations

import time

from predicdiff.effort import seconds_needed
from predicdiff.plan import make_plan
from predicdiff.settings import Settings

from .finding import Finding
from .line import Size
from .study import Subject

#: The paper's.
PAPER = {"window": 10, "samples": 20, "stride": 1}


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """Minutes, as `predicdiff explain` foretells them from a few windows."""
    analysis = make_plan(subject.net, subject.pixels, Settings(**PAPER)).with_sampler(subject.sampler())  # type: ignore[arg-type]
    wall, own = time.perf_counter(), time.process_time()
    minutes = seconds_needed(analysis) / 60
    cores = (time.process_time() - own) / (time.perf_counter() - wall)
    # where others compute too, the minutes are more than they need be: what was got of the machine says how much
    beside = {"evaluations": float(len(analysis.origins) * analysis.draws), "processor cores that it got": cores}
    return {"i": Finding(minutes, beside=beside)}
