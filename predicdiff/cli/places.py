"""The name of a run's result: one that no other run takes meanwhile, held by the lock on its tiles.

Without a name of the user's choice, a run goes on wherever it was stopped, be other names free by now.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple

from ..algorithm import checked_effort, first_state
from ..errors import ExplanationError
from ..explanation import Explanation
from ..journal import Journal, OtherRunError, run_at, sweep
from ..locks import InUseError
from ..ours import refuse
from ..plan import AFTERWARDS, Analysis
from .options.explain_options import Effort, Output
from .outputs import TILES


class Place(NamedTuple):
    """A run's own: its result, the open journal of its tiles, and why it is not the first name that came to mind."""

    result: Path
    journal: Journal
    why: str


@dataclass(frozen=True)
class Places:
    """Where a run's result may lie: at ``first`` or, where no output was named, also at names with a number.

    ``check`` raises an error where a result cannot be written; ``is_mine`` says whether one is this run's.
    """

    first: Path
    analysis: Analysis
    out: Output
    check: Callable[[Path], object]
    is_mine: Callable[[Path], bool]

    def candidates(self) -> Iterator[tuple[Path, str]]:
        """The names where this run has ended or begun, then those that are free, and why others come before.

        Raises
        ------
        ExplanationError
            If an output was named that cannot be written, or none can be.
        """
        if self.out.output:
            self.check(self.first)
            yield self.first, ""
            return
        there, why = self._there(), ""
        begun = [result for result in self._begun() if not os.path.lexists(result)]
        own = list(dict.fromkeys([result for result in there if self.is_mine(result)] + begun))
        for result in chain(own, (_name(self.first, number) for number in count(1))):
            in_the_way = self._in_the_way(result, own=result in own)
            if in_the_way is None:
                self.check(result)
                yield result, why
            else:
                why = why or f"{in_the_way} is not this run's, and stays"

    def sweep(self) -> None:
        """Delete the tiles that kills have left of this run beside other names, once its result is safe."""
        for result in [] if self.out.output else self._begun():
            sweep(self.out.files(result)[2], self.analysis.tiles_identity)

    def _begun(self) -> list[Path]:
        """The names beside which tiles of this run lie."""
        return [name for name in self._there() if run_at(self.out.files(name)[2]) == self.analysis.tiles_identity]

    def _there(self) -> list[Path]:
        """The names at which a result or tiles lie, by their numbers."""
        stem, suffix, tiles = map(re.escape, (self.first.stem, self.first.suffix, TILES))
        name = re.compile(rf"{stem}(?:-([1-9]\d{{0,8}}))?{suffix}(?:{tiles})?")
        try:
            found = [name.fullmatch(entry) for entry in os.listdir(self.first.parent)]
        except OSError:
            found = []
        return [_name(self.first, number) for number in sorted({int(one[1] or 1) for one in found if one})]

    def _in_the_way(self, result: Path, *, own: bool) -> Path | None:
        """What lies at one of a result's names, and is not this run's or not to be written."""
        _, picture, tiles = self.out.files(result)
        if os.path.lexists(result) and not own:
            return result
        if os.path.lexists(tiles) and (not os.access(tiles, os.W_OK) or not (own or run_at(tiles) == {})):
            return tiles
        for path in [result] if self.out.figure else [result, picture]:
            try:
                refuse(path, ExplanationError)
            except ExplanationError:
                return path
            if os.path.isdir(path):
                return path
        return None


@contextmanager
def taken(places: Places, effort: Effort) -> Iterator[Place]:
    """The first of the places that no other run takes meanwhile.

    Raises
    ------
    ExplanationError
        If an output was named, and another run works on it or has left its tiles there.
    """
    analysis, out = places.analysis, places.out
    memory = checked_effort(effort.memory, effort.batch_size)
    state = first_state(analysis, memory, effort.batch_size)
    busy = ""
    for result, why in places.candidates():
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
            busy = (
                busy or f"{result} is what another run {'works on' if isinstance(error, InUseError) else 'has begun'}"
            )
            continue
        with journal:
            if out.output is None and os.path.lexists(result) and not places.is_mine(result):
                continue  # made in the moment before
            yield Place(result, journal, busy or why)
            places.sweep()
            return


def _name(first: Path, number: int) -> Path:
    """The path, path-2, path-3, ..."""
    return first if number == 1 else first.with_name(f"{first.stem}-{number}{first.suffix}")


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
