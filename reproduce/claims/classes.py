"""Claim f: before the softmax maps of similar classes are alike, behind it they are not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Iterable, Sequence

import numpy as np

from ..common import say
from .correlating import Alike, alike, average
from .finding import Finding
from .groups import ILSVRC, near
from .line import Size
from .study import Subject

TOP, WINDOW = 3, 10
#: A class counts from this probability on, and so many of these at most.
LEAST_PROBABILITY, MOST = 1e-3, 8
#: From here on two classes' probabilities are nearly one minus each other.
ARITHMETIC = 0.9
#: How many classes at random stand for any.
RANDOM = 3


@dataclass(frozen=True)
class ClassMaps:
    """What windows are worth for several classes.

    Attributes
    ----------
    units : tuple of int
    halves : (2, n, T) array
        Of n windows, by the draws of both halves.
    """

    units: tuple[int, ...]
    halves: np.ndarray

    def of(self, unit: int) -> np.ndarray:
        """(2, n): one class's."""
        return np.asarray(self.halves[:, :, self.units.index(unit)])

    def alike(self, pairs: Iterable[tuple[int, int]]) -> Alike:
        """How alike the maps of two classes are, on average over pairs.

        The two classes' maps come from unlike halves, since draws are shared by all classes.
        """
        return average(alike(self.of(one), self.of(other)) for one, other in pairs)


def probabilities(subject: Subject) -> np.ndarray:
    """(K,): what the net says of the untouched photograph."""
    net = subject.net
    return np.asarray(net.forward(net.encode(subject.pixels)[None], [net.output])[net.output][0].ravel(), np.float64)


def likely(probability: np.ndarray) -> list[int]:
    """The classes that count, the likeliest first."""
    order = np.argsort(-probability, kind="stable")[:MOST]
    return [int(unit) for unit in order if probability[unit] > LEAST_PROBABILITY]


def strangers(subject: Subject, probability: np.ndarray) -> list[int]:
    """Random classes that stand for any, others for each photograph."""
    return random_classes([subject.unit, *likely(probability)], len(probability), subject.own_seed)


def random_classes(units: list[int], count: int, seed: Sequence[int]) -> list[int]:
    """Some classes at random, none of them among ``units`` or near one of these."""
    order = np.random.default_rng(seed).permutation(count)
    return [int(one) for one in order if one not in units and not any(near(int(one), unit) for unit in units)][:RANDOM]


def class_maps(subject: Subject, size: Size, blob: str | None) -> ClassMaps:
    """Windows of k = 10 all over the picture, for the classes that claims f and j look at.

    They are the likely ones, random ones, and those that come first for other nets.
    """
    probability = probabilities(subject)
    units = [subject.unit, *likely(probability), *strangers(subject, probability)]
    counterparts = [subject.counterpart(other) for other in subject.study.others.values()]
    units += [other.unit for other in counterparts if other is not None and other.unit < len(probability)]
    asked = tuple(sorted(set(units)))
    how = {"draws": size.draws, "side": size.side, "stride": size.stride, "blob": blob, "units": asked}
    return ClassMaps(asked, np.stack([half.values for half in subject.halves("conditional", WINDOW, **how)]))


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """How alike the maps of similar classes among the top three are, before the softmax and behind it."""
    probability = probabilities(subject)
    if len(probability) != ILSVRC:
        say(f"{subject.study.title}: claim f is not measured, since it has {len(probability)} classes, not ILSVRC's.")
        return {}
    units = likely(probability)
    similar = [pair for pair in combinations(units[:TOP], 2) if near(*pair)]
    if not similar:
        return {}
    scores, bits = class_maps(subject, size, subject.net.scores), class_maps(subject, size, None)
    members = sorted({unit for pair in similar for unit in pair})
    random = strangers(subject, probability)
    before = scores.alike(similar)
    anyone = scores.alike((one, other) for one in members for other in random)
    far = scores.alike((one, other) for one in members for other in units if not near(one, other) and one != other)
    found = {
        "f1": Finding(
            before.corrected,
            {"random classes": anyone.corrected},
            {"far pairs, scores": far.corrected, "reliability, scores": before.first},
        )
    }
    paired, both = known_pairs(similar, scores, bits)
    together = [float(probability[list(pair)].sum()) for pair in paired]
    return {**found, "f2": _behind(both, together)}


def known_pairs(
    pairs: list[tuple[int, int]], scores: ClassMaps, bits: ClassMaps
) -> tuple[list[tuple[int, int]], list[tuple[Alike, Alike]]]:
    """Those of the pairs of which scores and probabilities are known beyond their noise, and how alike each is."""
    each = {pair: (scores.alike([pair]), bits.alike([pair])) for pair in pairs}
    paired = [pair for pair in pairs if np.isfinite([one.corrected for one in each[pair]]).all()]
    return paired, [each[pair] for pair in paired]


def _behind(both: list[tuple[Alike, Alike]], together: list[float]) -> Finding:
    """Scores less probabilities of the same pairs, and where maps of probabilities differ by arithmetic.

    Where two classes have nearly all of the probability, odds for the one are odds against the other, and the maps are
    each other's negatives by arithmetic alone, whatever the net looks at; ``together`` is what each pair has of it.
    """
    before, behind = (average(each[which] for each in both) for which in (0, 1))
    apart = [each for each, sum_ in zip(both, together) if sum_ < ARITHMETIC]
    others = [average(each[which] for each in apart).corrected for which in (0, 1)]
    beside = {
        "reliability, probabilities": behind.first,
        f"share of pairs with p1 + p2 of {ARITHMETIC} or more": 1 - len(apart) / len(both) if both else np.nan,
        "scores, the other pairs": others[0],
        "probabilities, the other pairs": others[1],
    }
    return Finding(before.corrected, {"the same of probabilities": behind.corrected}, beside)
