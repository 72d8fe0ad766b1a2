"""What `predicdiff explain` says and writes while an analysis runs."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import click

from ..algorithm import go_on
from ..effort import precision_gap
from ..executors.here import run_tiles
from ..executors.tiles import Executor
from ..explanation import Explanation
from ..journal import Journal
from ..plan import Analysis
from ..presets import QUALITIES
from ..refinement import windows_done
from ..workers.choice import Fitting, WorkersLike, chosen
from ..workers.clients import client_at
from ..workers.protocol import Workers
from .console import INTERRUPTED, SOON, bar, duration, say
from .options.explain_options import Effort, Output, Sampling
from .summaries import stage_line


@dataclass
class Renewal:
    """Writes what each stage of a refined analysis gives, and says how far it has come."""

    result: Path
    picture: Path
    out: Output
    quiet: bool
    renewed: bool = False

    def __call__(self, explanation: Explanation) -> None:
        """Renew the result and the picture."""
        explanation.save(self.result)
        draw(explanation, self.picture, self.out)
        self.renewed = True
        if not self.quiet:
            say(stage_line(explanation))


def finished(analysis: Analysis, journal: Journal) -> int:
    """How many windows an interrupted run has finished."""
    if not journal.tiles:
        return 0
    analysis.check_tile(journal.state["tile"], journal.state["memory"])
    if analysis.settings.refines:  # its tiles are those of all stages
        return 0
    return windows_done(analysis, analysis.tiles(int(journal.state["tile"])), journal)


def taken_up(analysis: Analysis, journal: Journal) -> int:
    """How many evaluations of an interrupted run that refines in stages lie in its tiles, whatever the stage."""
    return sum(math.prod(values.shape[:3]) for values, *_ in journal.tiles.values()) * analysis.settings.repeat


def say_how_long(analysis: Analysis, sampling: Sampling, done: int, seconds: float) -> None:
    """What is explained, and how long all of it takes, in ``seconds`` but for the ``done`` windows."""
    count = len(analysis.origins)
    names = ", ".join(target.title for target in analysis.targets)
    if done:
        say(f"Taking up {done} finished windows of {count}.")
    left = duration(seconds * (count - done) / count)
    draws = "1 draw" if analysis.settings.samples == 1 else f"{analysis.settings.samples} draws"
    most = f"{analysis.shapes.told(count)}, {draws} each: {left} on this machine."
    if analysis.settings.refines:
        say(f"Explaining {names} {_goal(analysis)}, at most {most}")
    else:
        say(f"Explaining {names}: {most}")
    others = _others(analysis, sampling, seconds) if seconds > SOON else []
    if others:
        say(f"({', '.join(others)}.)")


def _others(analysis: Analysis, sampling: Sampling, seconds: float) -> list[str]:
    """What other qualities would take, as text."""
    count, k, most = len(analysis.origins), analysis.settings.sides, analysis.drawing.most_draws
    told = []
    for name, preset in QUALITIES.items():
        if sampling.presets and name != sampling.preset:
            number = len(analysis.shapes.stepped((min(preset.stride, *k),) * len(k)).origins)
            samples = preset.samples if most is None else min(preset.samples, most)
            work = number * samples / (count * analysis.settings.samples)
            told.append(f"--quality {name} {duration(seconds * work)}")
    return told


def _goal(analysis: Analysis) -> str:
    until, budget = analysis.settings.until, analysis.settings.budget
    goals = [] if until is None else [f"until the reliability is {until:g}"]
    return " or ".join(goals + ([] if budget is None else [f"for {duration(budget)}"]))


def less_precise(analysis: Analysis, precision: str, batch: int) -> str:
    """What the net's precision changes."""
    gap, most = precision_gap(analysis, batch)
    unit = "bit" if analysis.readout.measure == "evidence" else "activation"
    return f"{precision} changes the relevance of 16 windows by {gap:.2g} {unit} at most; the largest has {most:.2g}."


def run_to_end(
    analysis: Analysis, journal: Journal, done: int, renew: Renewal, executor: Executor = run_tiles
) -> Explanation:
    """The result, under a bar; an interruption says where what is finished lies."""
    try:
        with bar(len(analysis.origins), initial=done, quiet=renew.quiet) as shown:

            def progress(windows_done: int, count: int) -> None:
                shown.total = count
                shown.update(max(0, windows_done - shown.n))

            return go_on(analysis, journal, progress=progress, renew=renew, executor=executor)
    except KeyboardInterrupt:
        there = f"{renew.result} holds the map so far. " if renew.renewed else ""
        kept = f"What is finished is in {journal.path}: the same command goes on from there."
        say(f"Interrupted. {there}{kept if journal.made else 'No tile was finished.'}", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def workers_of(effort: Effort, worthwhile: Callable[[], Fitting]) -> Iterator[Workers | None]:
    """The workers that options ask for; None where this process is to compute."""
    with ExitStack() as stack:
        asked: WorkersLike | None = effort.workers
        if effort.scheduler is not None:
            asked = stack.enter_context(client_at(effort.scheduler))
        yield stack.enter_context(chosen(asked, worthwhile))


def draw(explanation: Explanation, picture: Path, out: Output) -> None:
    """Write the picture."""
    from ..plotting import figure, save_figure

    save_figure(figure(explanation, **out.drawing), picture)
