"""What `predicdiff explain --dry-run` says: what a run would take, and where its results would go."""

from __future__ import annotations

from pathlib import Path

import click

from ..algorithm import check_effort
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
    check_effort(memory, batch_size)
    done = 0 if out.restart else finished(analysis, tiles, memory, batch_size)
    say_how_long(analysis, sampling, done, seconds_needed(analysis, memory=memory, batch_size=batch_size), say)
    needed = demands(analysis, memory=memory, batch_size=batch_size)
    most = "at most " if analysis.settings.refines else ""
    threads = "1 thread" if needed.threads == 1 else f"{needed.threads} threads"
    say(
        f"Evaluations of the net: {most}{needed.evaluations:,}{_left(analysis, needed.evaluations, done, out, tiles)}, "
        f"in batches of {needed.batch} by {threads}. The time is estimated from a few windows, evaluated just now."
    )
    say(
        f"Memory: about {needed.memory / 1e9:.2g} GB besides the program and the sampler, estimated by layers' sizes; "
        f"--memory allows {memory / 1e9:.3g} GB."
    )
    say(f"The result would go to {_told(result)}, the picture to {_told(picture)}. Nothing was written.")


def _left(analysis: Analysis, count: int, done: int, out: Output, tiles: Path) -> str:
    """What of the evaluations is left where a run was stopped."""
    if not tiles.exists():
        return ""
    if out.restart:
        return f", for --restart deletes {tiles}"
    each = count // len(analysis.origins)
    there = taken_up(analysis, tiles) if analysis.settings.refines else done * each
    return f", of which {there:,} lie finished in {tiles} and at most {max(0, count - there):,} are left"


def _told(path: Path) -> str:
    return f"{path} (in the place of the file that is there)" if path.exists() else str(path)
