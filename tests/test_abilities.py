"""What nets and samplers can do beyond the least, and what is taken where they can not."""

from __future__ import annotations

import threading
from typing import Any

from helpers.oracle_nets import MapNet, NormalSampler

from predicdiff.abilities import NetAbilities, SamplerAbilities, net_abilities, sampler_abilities


def test_the_least_has_the_defaults() -> None:
    assert net_abilities(MapNet((1, 5, 6))) == NetAbilities()
    assert sampler_abilities(NormalSampler()) == SamplerAbilities("NormalSampler")
    assert sampler_abilities(NormalSampler()).identity == "NormalSampler"


def test_what_is_there_is_taken() -> None:
    net: Any = MapNet((1, 5, 6))
    net.outcomes, net.preferred_batch = 2, 7
    assert net_abilities(net) == NetAbilities(outcomes=2, preferred_batch=7)
    sampler: Any = NormalSampler()
    sampler.provenance, sampler.notes = {"kind": "own"}, ["a note"]
    assert sampler_abilities(sampler).identity == {"kind": "own"}
    assert sampler_abilities(sampler).notes == ["a note"]


def test_noise_belongs_to_the_draws_of_its_class() -> None:
    class Plain:
        def draw(self) -> None: ...

    class Noisy(Plain):
        def noise(self) -> str:
            return "noise"

    class Changed(Noisy):
        def draw(self) -> None: ...

    class Named(Noisy): ...

    class Both(Changed):
        def noise(self) -> str:
            return "another"

    noises: list[Any] = [sampler_abilities(kind()).noise for kind in (Plain, Changed, Noisy, Named, Both)]
    assert noises[:2] == [None, None]
    assert [noise() for noise in noises[2:]] == ["noise", "noise", "another"]


def test_what_threads_share_is_computed_alone_and_anything_else_as_it_is() -> None:
    told: list[tuple[int, int]] = []

    def compute_with(count: int) -> None:
        told.append((threading.get_ident(), count))

    shared = NetAbilities(evaluating_threads=lambda: 4, compute_with=compute_with)
    there = shared.by_one_thread(threading.get_ident)
    assert told == [(there, 1)]
    assert there != threading.get_ident()
    for other in (NetAbilities(), NetAbilities(evaluating_threads=lambda: 0, compute_with=compute_with)):
        assert other.by_one_thread(threading.get_ident) == threading.get_ident()
    assert len(told) == 1
