"""What `predicdiff explain --dry-run` says: what a run would take, and where its results would go."""

from __future__ import annotations

from pathlib import Path

import click

from ..algorithm import checked_effort
from ..effort import demands, seconds_needed
from ..plan import Analysis
from .options.explain_options import Effort, Output, Sampling
from .running import finished, say_how_long, taken_up


def tell(analysis: Analysis, sampling: Sampling, effort: Effort, out: Output, result: Path, *, held: bool) -> None:
    """Say it, after the evaluation of a few windows, or that the result is ``held`` already; writes nothing."""
    say = click.echo
    _, picture, tiles = out.files(result)
    if held:
        say(f"{result} holds this already: {_told(picture)} would be drawn, and nothing computed. Nothing was written.")
        return
    memory, batch_size = effort.memory, effort.batch_size
    checked_effort(memory, batch_size)
    needed = demands(analysis, memory=memory, batch_size=batch_size)
    seconds = seconds_needed(analysis, memory=memory, batch_size=batch_size)
    done = 0 if out.restart else finished(analysis, tiles, memory, batch_size)
    there, most = done * (needed.evaluations // len(analysis.origins)), ""
    if analysis.settings.refines:
        there, most = 0 if out.restart else taken_up(analysis, tiles), "at most "
        seconds *= max(0.0, 1 - there / needed.evaluations)
    say_how_long(analysis, sampling, done, seconds, say)
    threads = "1 thread" if needed.threads == 1 else f"{needed.threads} threads"
    say(
        f"Evaluations of the net: {most}{needed.evaluations:,}{_left(needed.evaluations, there, out, tiles)}, "
        f"in batches of {needed.batch} by {threads}. The time is estimated from a few windows, evaluated just now."
    )
    say(
        f"Memory: about {needed.memory / 1e9:.2g} GB besides the program and the sampler, estimated by layers' sizes; "
        f"--memory allows {memory / 1e9:.3g} GB."
    )
    say(f"The result would go to {_told(result)}, the picture to {_told(picture)}. Nothing was written.")


def _left(count: int, there: int, out: Output, tiles: Path) -> str:
    """What of the evaluations is left where a run was stopped."""
    if not tiles.exists():
        return ""
    if out.restart:
        return f", for --restart deletes {tiles}"
    return f", of which {there:,} lie finished in {tiles} and at most {max(0, count - there):,} are left"


def _told(path: Path) -> str:
    return f"{path} (in the place of the file that is there)" if path.exists() else str(path)
