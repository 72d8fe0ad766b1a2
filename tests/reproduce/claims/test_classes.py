"""Claim f: which classes are near, and how alike maps are of which that is known; claim j on nets alike and not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.claims import linear_net, study
from helpers.places import ROOT

from predicdiff import evidence
from predicdiff.nets.labels import load_labels


@pytest.fixture
def classes(module: Callable[[str], Any]) -> Any:
    return module("claims.classes")


@pytest.fixture
def groups(module: Callable[[str], Any]) -> Any:
    return module("claims.groups")


def test_near_classes_are_what_their_names_say(groups: Any) -> None:
    labels = load_labels(ROOT / "models" / "ilsvrc12_labels.tsv")
    number = {label: index for index, label in enumerate(labels)}
    for one, other, wanted in (
        ("Norfolk terrier", "Norwich terrier", True),
        ("tabby", "Egyptian cat", True),
        ("Indian elephant", "African elephant", True),
        ("king penguin", "albatross", True),
        ("violin", "cello", True),
        ("tabby", "beagle", False),
        ("violin", "tractor", False),
        ("web site", "comic book", False),
    ):
        assert groups.near(number[one], number[other]) is wanted, (one, other)
    runs = groups.classes_by_group()
    counted = [unit for group in runs.values() for unit in group]
    assert len(counted) == len(set(counted))
    assert max(counted) < len(labels)
    assert min(map(len, runs.values())) > 1


def test_classes_that_count_are_likely_and_those_at_random_are_near_none(classes: Any, groups: Any) -> None:
    probability = np.full(1000, 1e-5)
    probability[[151, 270, 398, 5]] = 0.5, 0.3, 0.1, 9e-4
    assert classes.likely(probability) == [151, 270, 398]
    chosen = classes.random_classes([151, 270], 1000, (0, 0))
    assert len(set(chosen)) == classes.RANDOM
    assert not any(groups.near(one, 151) for one in chosen)


def test_draws_that_classes_share_do_not_make_them_alike(classes: Any) -> None:
    draw = np.random.default_rng(0)
    signal, shared = draw.standard_normal((5000, 2)), draw.standard_normal((2, 5000, 1))
    maps = classes.ClassMaps((7, 9), signal + shared)
    assert maps.alike([(7, 9)]).corrected == pytest.approx(0, abs=0.1)
    same = classes.ClassMaps((7, 9), signal[:, :1] * [1, -2] + shared)
    assert same.alike([(9, 7)]).corrected == pytest.approx(-1, abs=0.1)


def test_two_classes_with_all_of_the_probability_have_each_others_negative(classes: Any) -> None:
    first = np.random.default_rng(0).uniform(0.2, 0.8, (2, 500))
    bits = np.stack([evidence.log_odds(first), evidence.log_odds(1 - first)], axis=2)
    maps = classes.ClassMaps((0, 1), bits[[0, 0]])
    assert maps.alike([(0, 1)]).corrected == pytest.approx(-1)
    told = _beside(classes, maps, 0.6 + 0.4)
    assert told["share of pairs with p1 + p2 of 0.9 or more"] == 1
    assert np.isnan(told["probabilities, the other pairs"])
    told = _beside(classes, maps, 0.4 + 0.4)
    assert told["share of pairs with p1 + p2 of 0.9 or more"] == 0
    assert told["probabilities, the other pairs"] == pytest.approx(-1)


def _beside(classes: Any, maps: Any, together: float) -> Any:
    _, both = classes.known_pairs([(0, 1)], maps, maps)
    return classes._behind(both, [together]).beside


def test_scores_and_probabilities_are_compared_on_pairs_of_which_both_are_known(classes: Any) -> None:
    draw = np.random.default_rng(0)
    signal = draw.standard_normal((500, 3))
    scores = classes.ClassMaps((1, 2, 3), np.stack([signal + signal[:, :1]] * 2))
    noisy = np.stack([-signal - signal[:, :1] * [-3, 1, 1]] * 2)
    noisy[:, :, 2] = draw.standard_normal((2, 500))  # of class 3 nothing is known behind the softmax
    bits = classes.ClassMaps((1, 2, 3), noisy)
    paired, both = classes.known_pairs([(1, 2), (1, 3)], scores, bits)
    assert paired == [(1, 2)]
    found = classes._behind(both, [0.5])
    assert found.statistic == pytest.approx(scores.alike([(1, 2)]).corrected)
    assert found.statistic > 0.5 > 0 > found.nulls["the same of probabilities"]


@pytest.mark.parametrize(("seed", "low", "high"), [(0, 0.999, 1.001), (1, -0.8, 0.8)])
def test_nets_with_the_same_weights_decide_alike_and_others_do_not(
    module: Callable[[str], Any],
    classes: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    seed: int,
    low: float,
    high: float,
) -> None:
    monkeypatch.setattr(classes, "WINDOW", 3)
    studies = module("claims.study")
    pair = [study(studies, linear_net(seed), tmp_path, f"net {number}") for number, seed in enumerate((0, seed))]
    for one, other in (pair, pair[::-1]):
        one.others[other.title] = other
    size = module("claims.line").Size(2, side=16, draws=4)
    found = module("claims.deciding").measure(pair[0].subjects[0], size)["j"]
    assert low < found.statistic < high
    assert found.nulls == {"the same map": 1.0}


def test_a_net_alone_decides_like_no_other(module: Callable[[str], Any], tmp_path: Path) -> None:
    alone = study(module("claims.study"), linear_net(), tmp_path).subjects[0]
    assert module("claims.deciding").measure(alone, module("claims.line").Size(2, side=16)) == {}
