"""Nets and samplers of one's own: those that serve are told so, and the others what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler

import predicdiff as pd
from predicdiff.errors import PredicdiffError, SamplerError, SettingsError

SHAPE = (2, 9, 10)


def with_(**changes: Any) -> MapNet:
    """A net whose attributes or methods are others."""
    return type("Changed", (MapNet,), changes)(SHAPE)


def test_the_least_serves() -> None:
    assert pd.check_net(MapNet(SHAPE)) == []
    assert pd.check_sampler(NormalSampler()) == []


def test_what_is_there_beyond_the_least_is_told() -> None:
    net = with_(preferred_batch=7, outcomes=2, bytes_needed=lambda *_, **__: (0, 1))
    assert pd.check_net(net) == ["KnowsOutcomes", "PrefersBatch", "Budgeted"]
    assert pd.check_net(with_(evaluation=lambda *_, **__: "densely")) == ["TellsEvaluation"]
    corpus = np.random.default_rng(1).uniform(0, 255, (30, *SHAPE)).astype(np.float32)
    assert pd.check_sampler(pd.MarginalSampler(corpus), SHAPE) == [
        "HasPopulation", "DrawnByThreads", "Settles", "HasProvenance", "HasNotes",
    ]  # fmt: skip
    gaussian = pd.GaussianSampler.fit(corpus, 5, patches=200, seed=0)
    assert {"MakesNoise", "HasProvenance"} <= set(pd.check_sampler(gaussian, SHAPE))


def off_by_one(net: MapNet, pixels: Any, origins: Any, patches: Any, **settings: Any) -> Any:
    return MapNet.evaluate(net, pixels, np.maximum(origins - 1, 0), patches, **settings)


def draws_exchanged(net: MapNet, pixels: Any, origins: Any, patches: Any, **settings: Any) -> Any:
    return MapNet.evaluate(net, pixels, origins, patches, **settings)[:, ::-1]


def pixels_changed(net: MapNet, pixels: Any, *others: Any, **settings: Any) -> Any:
    values = MapNet.evaluate(net, pixels, *others, **settings)
    pixels[:] = 0
    return values


@pytest.mark.parametrize(
    ("net", "match"),
    [
        (MapNet, "the net is a type"),
        (type("Bare", (), {"input_shape": SHAPE})(), "Bare: lacks name, scores, .*, evaluate, bytes_per_input: want"),
        (with_(output="probs"), "output is 'probs': want a name of its blobs"),
        (with_(labels=["cat"]), "labels are 1: want 4"),
        (with_(training_instances=0), "training_instances is 0"),
        (with_(preferred_batch=-1), "preferred_batch is -1"),
        (with_(preferred_batch=None), "preferred_batch raised TypeError"),
        (with_(training_instances=None), "training_instances raised TypeError"),
        (with_(labels=5), "labels raised TypeError"),
        (with_(input_shape=5, blobs={"prob": (4,)}, __init__=lambda *_: None), "input_shape raised TypeError"),
        (with_(blobs=None), "blobs raised TypeError"),
        (with_(blobs={}, scores=None, output=None), "blobs are none"),
        (with_(outcomes="two"), "outcomes K = 'two': want a whole number"),
        (with_(outcomes=1), "outcomes is 1: want at least 2"),
        (with_(provenance={"weights": b"x"}), "provenance can't be written as JSON"),
        (with_(output="scores"), "'scores' holds .*: want probabilities"),
        (with_(encode=lambda net, pixels: pixels[..., 1:]), r"encode has the shape \(2, 9, 9\): want \(2, 9, 10\)"),
        (with_(forward=lambda *_: {}), "forward leaves out 'prob'"),
        (with_(forward=lambda *_: 1 / 0), r"forward raised ZeroDivisionError \(division by zero\)"),
        (with_(evaluate=lambda *_: 0), "evaluate raised TypeError .*'blob'"),
        (with_(evaluate=lambda *_, **__: np.zeros((2, 2))), r"evaluate has the shape \(2, 2\): want \(2, 2, 2\)"),
        (with_(evaluate=lambda *_, **__: np.full((2, 2, 2), np.nan)), "evaluate holds NaN"),
        (with_(evaluate=off_by_one), "evaluate gives other values than forward"),
        (with_(evaluate=draws_exchanged), "evaluate gives other values than forward"),
        (with_(evaluate=pixels_changed), "evaluate changes the pixels"),
    ],
)
def test_what_is_wrong_with_a_net_is_named(net: Any, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        pd.check_net(net)


def patches(pixels: np.ndarray, origins: np.ndarray, window: int) -> np.ndarray:
    return np.array([pixels[:, r : r + window, c : c + window] for r, c in origins], np.float32)


def leaking(_self: Any, pixels: Any, origins: Any, *, window: int, **_: Any) -> np.ndarray:
    return patches(pixels, origins, window)[:, None]


def in_turn(_self: Any, pixels: Any, origins: Any, *, window: int, **_: Any) -> np.ndarray:
    return np.arange(len(origins), dtype=np.float32)[:, None, None, None, None] + np.zeros((1, 1, 3, window, window))


def in_grey(_self: Any, pixels: Any, origins: Any, *, window: int, samples: int, **_: Any) -> np.ndarray:
    return np.full((len(origins), samples, len(pixels), window, window), 128)


def seedless(self: Any, *asked: Any, **how: Any) -> np.ndarray:
    return NormalSampler.draw(self, *asked, **{**how, "seed": 3})


def spoiling(self: Any, pixels: Any, *asked: Any, **how: Any) -> np.ndarray:
    pixels[:] = 0
    return NormalSampler.draw(self, pixels, *asked, **how)


def seeding(self: Any, *asked: Any, **how: Any) -> np.ndarray:
    np.random.seed(how["seed"])
    return NormalSampler.draw(self, *asked, **how)


def fresh(_self: Any, _pixels: Any, origins: Any, *, window: int, **_: Any) -> np.ndarray:
    return np.random.default_rng().random((len(origins), 4, 3, window, window))


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({}, "the sampler is a Own: want"),
        ({"draw": lambda *_, **__: np.zeros((3, 4, 3, 3))}, r"Own\.draw gave an array \(3, 4, 3, 3\)"),
        ({"draw": lambda *_, **__: np.full((3, 4, 3, 3, 3), np.inf)}, r"Own\.draw gave NaN or infinity"),
        ({"draw": leaking}, r"Own\.draw changes with the window's own contents"),
        ({"draw": in_turn}, r"Own\.draw changes with the other windows that are asked for"),
        ({"draw": fresh}, r"Own\.draw changes from call to call"),
        ({"draw": seedless}, r"Own\.draw gives the same for another seed: want .* a method `population` that says 0"),
        ({"draw": spoiling}, r"Own\.draw changes what it is given"),
        ({"draw": seeding}, r"Own\.draw draws from the random numbers that the whole program shares, or seeds them"),
        ({"draw": NormalSampler.draw, "provenance": {1j}}, r"Own\.provenance can't be written as JSON"),
        ({"draw": NormalSampler.draw, "most_draws": 0}, r"Own\.most_draws is 0: want at least 1"),
        ({"draw": NormalSampler.draw, "notes": None}, r"Own\.notes is None: want a list of sentences"),
        ({"draw": NormalSampler.draw, "population": lambda *_: -1}, r"Own\.population is negative"),
    ],
)
def test_what_is_wrong_with_a_sampler_is_named(members: dict[str, Any], match: str) -> None:
    with pytest.raises(SamplerError, match=match):
        pd.check_sampler(type("Own", (), members)())


@pytest.mark.parametrize("members", [{"draw": seedless, "population": lambda *_: 0}, {"draw": in_grey}])
def test_where_nothing_is_drawn_the_seed_may_change_nothing(members: dict[str, Any]) -> None:
    pd.check_sampler(type("Own", (), members)())


def test_a_shape_that_a_sampler_does_not_take_is_its_own_to_refuse() -> None:
    with pytest.raises(PredicdiffError, match=r"the pixels have the shape \(3, 32, 32\)"):
        pd.check_sampler(pd.MarginalSampler(np.zeros((2, *SHAPE))))
