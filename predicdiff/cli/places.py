"""The name of a run's result: one that no other run takes meanwhile, held by the lock on its tiles."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple

from ..algorithm import checked_effort, first_state
from ..errors import ExplanationError
from ..explanation import Explanation
from ..journal import Journal, OtherRunError
from ..locks import InUseError
from ..plan import AFTERWARDS, Analysis
from .options.explain_options import Effort, Output


class Place(NamedTuple):
    """A run's own: its result, the open journal of its tiles, and why it is not the first name that came to mind."""

    result: Path
    journal: Journal
    why: str


@contextmanager
def taken(
    first: Path,
    analysis: Analysis,
    effort: Effort,
    out: Output,
    *,
    check: Callable[[Path], object],
    is_mine: Callable[[Path], bool],
) -> Iterator[Place]:
    """The place ``first`` or, where no output was named, the first one with a number that is free, or this run's own.

    Parameters
    ----------
    first : Path
    analysis : Analysis
    effort : Effort
    out : Output
    check : callable
        Raises an error where a result cannot be written.
    is_mine : callable
        Whether the result that lies at a path is this run's.

    Raises
    ------
    ExplanationError
        If an output was named, and another run works on it or has left its tiles there.
    """
    memory = checked_effort(effort.memory, effort.batch_size)
    state = first_state(analysis, memory, effort.batch_size)
    why = ""
    for result in [first] if out.output else _names(first):
        others = f"{first} holds another explanation, which stays"
        if out.output is None and result.exists() and not is_mine(result):
            why = why or others
            continue
        check(result)
        journal = Journal(
            out.files(result)[2],
            analysis.tiles_identity,
            state,
            outdated=lambda run, result=result: _is_made(result, run),  # type: ignore[misc]
            restart=out.restart,
        )
        try:
            journal.__enter__()
        except (InUseError, OtherRunError) as error:
            if out.output:
                raise
            busy = "another run works on" if isinstance(error, InUseError) else "an interrupted run has begun"
            why = why or f"{first} is what {busy}"
            continue
        with journal:
            if out.output is None and result.exists() and not is_mine(result):  # made in the moment before
                why = why or others
                continue
            yield Place(result, journal, why)
            return


def _names(first: Path) -> Iterator[Path]:
    """The path, path-2, path-3, ..."""
    yield first
    for number in count(2):
        yield first.with_name(f"{first.stem}-{number}{first.suffix}")


def _is_made(result: Path, run: Mapping[str, Any]) -> bool:
    """Whether a finished result is what the tiles of a run were for: a kill came before they were deleted."""
    try:
        made = Explanation.load(result).provenance
    except ExplanationError:
        return False
    return bool(made.get("finished", True)) and _tiles_part(made) == _tiles_part(run)


def _tiles_part(identity: Mapping[str, Any]) -> list[Any]:
    """Of what a run is, what its tiles depend on."""
    settings = identity.get("settings")
    asked = settings.items() if isinstance(settings, dict) else ()
    kept = {name: value for name, value in asked if name not in (*AFTERWARDS, "stages")}
    return [kept, *(identity.get(name) for name in ("net", "sampler", "pixels"))]
