"""What a net or a sampler can do beyond the least: looked at here, and nowhere else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import MISSING, dataclass, fields
from typing import Any, Callable, Sequence, TypeVar

import numpy as np

from .errors import SamplerError, SettingsError
from .noise import Noise
from .protocols import Head, Json, Net, Sampler, Work
from .tones import Tones, tones_of
from .units import whole_number

T = TypeVar("T")

#: What a sampler says of its own ``draw``, and not of a subclass's.
BESIDE_DRAW = ("noise", "fill", "drawn_by_threads")
#: The longest batch of a net that likes none better.
LONGEST_BATCH = 320


@dataclass(frozen=True)
class NetAbilities:
    """What a net may have beyond the least, see `protocols`, and what is taken where it is missing."""

    preprocessing: Any = None
    outcomes: int | None = None
    class_heads: Sequence[Head] = ()
    takes_noise: bool = False
    takes_masks: bool = False
    preferred_batch: int = 0  # it likes none better
    incremental: bool = False
    precision: str | None = None  # it has but one
    rounding: float = 2.0**-24  # float32's
    with_weights: Callable[..., Net] | None = None
    bytes_needed: Callable[..., tuple[int, int]] | None = None
    check_downstream: Callable[[str, str], None] | None = None
    evaluation: Callable[..., str] | None = None
    one_by_one: Callable[[], Net] | None = None
    changed: Callable[[], bool] | None = None
    renewed: Callable[[], Net] | None = None
    in_double: Callable[[], Net | None] | None = None
    alone: bool = False
    evaluating_threads: Callable[[], int] | None = None
    compute_with: Callable[[int], None] | None = None
    computed_by: Callable[[], Json] | None = None
    work: Work | None = None

    def tones(self, values: np.ndarray) -> Tones:
        """Which of an input's values (C, H, W) are black, grey and white."""
        return tones_of(values, pixels=self.preprocessing is not None)

    @property
    def shared_by_threads(self) -> bool:
        """Whether several threads may evaluate at once, each of which computes alone."""
        return self.compute_with is not None and self.evaluating_threads is not None and self.evaluating_threads() > 0

    def by_one_thread(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, computed as threads that share the net compute: each alone, to the same bits."""
        if self.compute_with is None or not self.shared_by_threads:
            return work()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.compute_with, 1).result()
            return pool.submit(copy_context().run, work).result()

    @property
    def longest_batch(self) -> int:
        """How many inputs a batch may hold where memory allows it."""
        return self.preferred_batch or LONGEST_BATCH


@dataclass(frozen=True)
class SamplerAbilities:
    """What a sampler may have beyond the least; ``name`` is its class's name."""

    name: str
    population: Callable[..., int] | None = None
    most_draws: int | None = None
    drawn_by_threads: bool | None = None
    noise: Callable[..., Noise] | None = None
    fill: Callable[..., np.ndarray] | None = None
    among: Callable[[Tones], Sampler] | None = None
    provenance: Any = None
    notes: Sequence[str] = ()

    @property
    def identity(self) -> Any:
        """JSON-able: what tells its draws from others'; without provenance its class alone."""
        return self.name if self.provenance is None else self.provenance


def net_abilities(net: Net) -> NetAbilities:
    """What anybody's net can do; a SettingsError if it is no net."""
    if not hasattr(net, "input_shape"):
        raise SettingsError(f"the net is a {type(net).__name__}: want what `load_net` gives.")
    return NetAbilities(**_beyond(net, NetAbilities))


def sampler_abilities(sampler: Sampler) -> SamplerAbilities:
    """What anybody's sampler can do; of a class with another ``draw`` no inherited ``noise`` or ``fill`` counts.

    Raises
    ------
    SamplerError
        If it is no sampler, its ``notes`` are no sentences or it has less than one draw.
    """
    is_class = isinstance(sampler, type)
    if is_class or not callable(getattr(sampler, "draw", None)):
        kind = f"the class {sampler.__name__}" if isinstance(sampler, type) else f"a {type(sampler).__name__}"
        raise SamplerError(
            f"the sampler is {kind}: want a MarginalSampler, a GaussianSampler or another object with their method "
            "draw."
        )
    beyond = {
        **_beyond(sampler, SamplerAbilities),
        **{name: _beside_draw(sampler, name) for name in BESIDE_DRAW},
    }
    abilities = SamplerAbilities(type(sampler).__name__, **beyond)
    if abilities.most_draws is not None and whole_number(f"{abilities.name}.most_draws", abilities.most_draws) < 1:
        raise SamplerError(f"{abilities.name}.most_draws is {abilities.most_draws}: want at least 1.")
    notes = abilities.notes
    if isinstance(notes, str) or not isinstance(notes, Sequence) or not all(isinstance(note, str) for note in notes):
        raise SamplerError(f"{abilities.name}.notes is {notes!r}: want a list of sentences.")
    return abilities


def settled(sampler: Sampler, tones: Tones) -> Sampler:
    """The sampler as it draws among values of these tones; errors and warnings are its own."""
    among = sampler_abilities(sampler).among
    return sampler if among is None else among(tones)


def _beside_draw(sampler: Any, name: str) -> Any:
    """What goes with its ``draw``; None if there is nothing, or a subclass has another ``draw`` and none of its own."""
    for kind in type(sampler).__mro__:
        if name in vars(kind):
            return getattr(sampler, name)
        if "draw" in vars(kind):
            return None
    return None


def _beyond(thing: Any, abilities: type) -> dict[str, Any]:
    """The attributes that a table of abilities names, or their defaults."""
    named = {one.name: one.default for one in fields(abilities) if one.default is not MISSING}
    return {name: getattr(thing, name, default) for name, default in named.items()}
