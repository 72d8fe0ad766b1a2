"""What a run will take: seconds on this machine, and what a net's precision changes."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np

from .budget import MEMORY
from .executors.here import Team, evaluate_tile, evaluated, team_for
from .plan import Analysis
from .protocols import HasPrecision
from .readout import read_base

#: Evaluations from which a run's time is projected, or about one batch of a net that likes longer ones.
PROBE = 64


def precision_gap(analysis: Analysis, batch: int, *, count: int = 16) -> tuple[float, float]:
    """The largest difference that a net's precision makes to windows' relevance, and the largest relevance in float32.

    Measured on ``count`` windows spread over the image, with the same draws, in batches of ``batch``.
    """
    probe = _spread(analysis, count)
    exact_net = copy.copy(analysis.net)
    cast(HasPrecision, exact_net).precision = "float32"
    base = read_base(exact_net, analysis.pixels, analysis.blob, analysis.units)
    exact = replace(probe, net=exact_net, readout=replace(probe.readout, base=base))
    every = slice(0, len(probe.origins))
    draws = probe.sample(every)
    difference, batch = evaluate_tile(probe, every, batch, draws)
    reference, _ = evaluate_tile(exact, every, batch, draws)
    return float(np.abs(difference[0] - reference[0]).max()), float(np.abs(reference[0]).max())


def seconds_needed(analysis: Analysis, *, memory: int = MEMORY, batch_size: int | None = None) -> float:
    """Projected seconds of a run on this machine, from evaluating part of one tile.

    What a call takes once, such as the pass of the untouched image, is left out, as far as two sizes tell it apart.
    """
    batch = analysis.batch(memory, batch_size)
    samples, liked = analysis.settings.samples, analysis.abilities.preferred_batch
    count = max(1, min(len(analysis.origins), -(-2 * batch // samples), max(PROBE, liked) // samples + 1))
    probe = _spread(analysis, count)
    every, first = slice(0, len(probe.origins)), slice(0, 1)
    # first calls set things up: on a GPU for each size of a batch anew
    evaluate_tile(probe, every if liked > PROBE else first, batch)
    team = team_for(analysis, batch, analysis.tile(memory), memory)
    each = _seconds(probe, every, batch, team) / len(probe.origins)
    if len(probe.origins) > 1:
        more = len(probe.origins) * each - _seconds(probe, first, batch, team)
        each = max(more / (len(probe.origins) - 1), each / 4)  # where the clock is disturbed, nothing absurd
    return each * len(analysis.origins)


class Demands(NamedTuple):
    """What a run asks of the net and of memory.

    Attributes
    ----------
    evaluations : int
        Of the net, for all windows and draws; with ``until`` and ``budget`` no more are made.
    batch, threads : int
        How many at once, and by how many threads side by side.
    memory : float
        Bytes that the net and the draws take at most, estimated; the program itself and the sampler apart.
    """

    evaluations: int
    batch: int
    threads: int
    memory: float


def demands(analysis: Analysis, *, memory: int = MEMORY, batch_size: int | None = None) -> Demands:
    """What a run takes besides time, as it is planned."""
    settings, abilities = analysis.settings, analysis.abilities
    channels = len(analysis.ground) if settings.channels_apart else 1
    each = analysis.draws * channels * settings.repeat
    count = len(analysis.origins) * analysis.draws
    batch, tile = analysis.batch(memory, batch_size), min(count, analysis.tile(memory))
    team = team_for(analysis, batch, tile, memory)
    batch = min(batch, tile)
    if abilities.bytes_needed is None:
        net = float(batch * analysis.net.bytes_per_input(analysis.blob))
    else:
        once, one = abilities.bytes_needed(analysis.blob, start=settings.start, window=settings.asked_window)
        net = float(once + batch * one)
    # one by one, the next tile's draws are made beside a tile's own
    tiles = 2 if team.each is None else team.threads
    draws = 4.0 * len(analysis.ground) * math.prod(settings.sides) * tile * tiles
    return Demands(len(analysis.origins) * each, batch, team.threads, team.threads * net + draws)


def _spread(analysis: Analysis, count: int) -> Analysis:
    """The same for ``count`` windows spread over the image."""
    step = max(1, len(analysis.origins) // count)
    return replace(analysis, origins=analysis.origins[::step][:count])


def _seconds(analysis: Analysis, tile: slice, batch: int, team: Team) -> float:
    """A tile's, as many evaluated at once as in a run."""
    started = time.perf_counter()
    if team.each is None:
        evaluate_tile(analysis, tile, batch)
    else:
        list(evaluated(analysis, dict.fromkeys(range(team.threads), tile), batch, team))
    return (time.perf_counter() - started) / team.threads
