"""Tiles evaluated by workers, wherever these are; this process alone puts them together."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Generator, Iterator, NamedTuple, Sequence

from ..abilities import NetAbilities, net_abilities, sampler_abilities
from ..conditions import conditions
from ..cores import cores
from ..errors import OutOfMemoryError
from ..nets.recipes import Recipe, forget_recipe, recipe_of
from ..nets.zoo import made_again
from ..plan import Analysis
from ..protocols import Json, Net, Progress, Sampler
from ..workers.protocol import NotMadeError, Parcel, Workers
from ..workers.spreading import Task, spread
from .here import evaluate_tile, run_tiles
from .tiles import Evaluated, Executor, Outcome, Tiles, put_into

#: How many workers may be lost with a tile before its batches are made smaller: where tiles were finished with such
#: batches, and where none was yet.
LOST_BY_CHANCE, LOST_AT_FIRST = 3, 1
#: A process with several tasks at once has one of them draw at a time, or evaluate where threads can't share the net.
_alone = threading.RLock()


def executor_with(workers: Workers | None, *kept: Any) -> Executor:
    """Where tiles run: with these workers, who keep nets and samplers that come again, or here."""
    return run_tiles if workers is None else Spread(workers, kept)


def worthwhile(abilities: NetAbilities, images: int) -> int:
    """How many processes of this machine are worth their start, for so many images.

    Threads that share a net evaluate about as fast as processes would, see `here`. But planning, writing and drawing
    take a thread alone: with several images each gets a process. A net that threads can't share is worth processes for
    a single image.
    """
    return 1 if abilities.shared_by_threads and images == 1 else cores()


@dataclass(frozen=True)
class Spread:
    """An executor that gives each tile to one of ``workers``.

    Attributes
    ----------
    workers : Workers
    kept : tuple of nets and samplers
        What workers keep from one call to the next; of others they are told that no further task needs them.
    """

    workers: Workers
    kept: tuple[Any, ...] = ()

    def __call__(self, analysis: Analysis, tiles: Sequence[slice], journal: Tiles, progress: Progress | None) -> int:
        """Evaluate the tiles that a journal does not hold yet, and put them into it; see `put_into`."""
        return put_into(journal, analysis, tiles, progress, self._evaluated)

    def _evaluated(
        self, analysis: Analysis, tiles: dict[int, slice], batch: int, journal: Tiles
    ) -> Generator[Evaluated, None, None]:
        if not tiles:
            return
        things = (analysis.net, analysis.sampler, Luggage.of(analysis))
        parcels = [send_net(self.workers, analysis.net), *map(self.workers.send, things[1:])]

        def send_whole() -> None:
            parcels[0] = send_whole_net(self.workers, analysis.net)

        sizes = Sizes(batch)

        def tasks() -> Iterator[Task]:
            for number, tile in tiles.items():
                # evaluated at once: when a task is given anew, another tile has its turn
                yield Task(number, tile_of, parcels, lambda lost, tile=tile: (tile, sizes.after(lost)))  # type: ignore[misc]

        try:
            for number, made in spread(self.workers, tasks(), send_whole):
                _count_work(analysis, made)
                sizes.served(made.batch)
                yield Evaluated(number, made.outcome, made.batch, made.conditions)
        finally:
            for thing, parcel in zip(things, parcels):
                if not any(thing is one for one in self.kept):
                    self.workers.forget(parcel)


class Sizes:
    """The batch size that tiles set out with, smaller where workers are lost with them: memory may have run out.

    A kill has many reasons. So a size with which a tile was finished is blamed later than one of which none was.
    """

    def __init__(self, batch: int) -> None:
        self._batch, self._serves = batch, False

    def after(self, lost: int) -> int:
        """The batch size for a tile with which so many workers were lost: halved each time, from a certain one on."""
        by_chance = LOST_BY_CHANCE if self._serves else LOST_AT_FIRST
        return max(1, self._batch >> max(0, lost - by_chance))

    def served(self, batch: int) -> None:
        """Learn that a tile was finished with this batch size: the next set out with it, unless larger ones serve."""
        if not self._serves:
            self._batch, self._serves = min(batch, self._batch), True


class Made(NamedTuple):
    """What a worker made of a tile: what is kept of it, with which batch size and with what, and the work it took."""

    outcome: Outcome
    batch: int
    conditions: Json
    done: float
    dense: float


@dataclass(frozen=True)
class Luggage:
    """An analysis without its net and sampler, which workers have already, and the image, which no tile needs."""

    parts: dict[str, Any]

    @classmethod
    def of(cls, analysis: Analysis) -> Luggage:
        """What is sent of an analysis; its own class, of which the stages of a refined one have others, goes along."""
        left = ("net", "abilities", "sampler", "drawing")
        parts = {part.name: getattr(analysis, part.name) for part in fields(analysis) if part.name not in left}
        parts["seen"] = replace(analysis.seen, image=None)
        return cls({"": type(analysis), **parts})

    def unpacked(self, net: Net, sampler: Sampler) -> Analysis:
        """The analysis, with a net and a sampler that were sent beside it."""
        parts = dict(self.parts)
        made: Analysis = parts.pop("")(
            net=net, abilities=net_abilities(net), sampler=sampler, drawing=sampler_abilities(sampler), **parts
        )
        return made


def tile_of(net: Net | Recipe, sampler: Sampler, luggage: Luggage, tile: slice, batch: int) -> Made:
    """A tile, evaluated by this process; what a worker calls."""
    analysis = luggage.unpacked(made_of(net), sampler)
    told, abilities = conditions(analysis.abilities, batch), analysis.abilities
    before = (0.0, 0.0) if abilities.work is None else (abilities.work.done, abilities.work.dense)

    # as threads here do, each of which computes alone
    shared = not analysis.varies and abilities.shared_by_threads

    def evaluated() -> tuple[Outcome, int]:
        draws = None
        with in_turn(not analysis.drawing.drawn_by_threads), suppress(OutOfMemoryError, MemoryError):
            draws = analysis.sample(tile)
        with in_turn(not shared or draws is None):
            return evaluate_tile(analysis, tile, batch, draws)

    outcome, fitting = abilities.by_one_thread(evaluated) if shared else evaluated()
    if shared and "threads" in told:
        told["threads"] = 1
    # where other tasks compute beside this one, their work is counted too; what is told of it is a ratio
    after = before if abilities.work is None else (abilities.work.done, abilities.work.dense)
    return Made(outcome, fitting, told, after[0] - before[0], after[1] - before[1])


@contextmanager
def in_turn(alone: bool) -> Iterator[None]:
    """Keep other tasks of this process, which may have several at once, from what threads must not do together."""
    with _alone if alone else nullcontext():
        yield


def send_net(workers: Workers, net: Net) -> Parcel:
    """Tell workers how to make a net, or where that is not known send it whole."""
    return workers.send(recipe_of(net) or net)


def send_whole_net(workers: Workers, net: Net) -> Parcel:
    """Send a net that workers cannot make, as which it goes to them from now on."""
    forget_recipe(net)
    return workers.send(net)


def made_of(net: Net | Recipe) -> Net:
    """The net that was sent, or the one that this process makes of its recipe, once.

    Raises
    ------
    NotMadeError
        If it lacks the files: the whole net is to be sent.
    """
    if not isinstance(net, Recipe):
        return net
    with _alone:
        return _by_recipe(net)


@lru_cache(maxsize=2)
def _by_recipe(recipe: Recipe) -> Net:
    net = made_again(recipe)
    if net is None:
        raise NotMadeError(f"{recipe.source}: a worker lacks these files, or has others.")
    return net


def _count_work(analysis: Analysis, made: Made) -> None:
    """Count what workers did as the net's own work, which a result tells of."""
    work = analysis.abilities.work
    if work is not None:
        work.done += made.done
        work.dense += made.dense
