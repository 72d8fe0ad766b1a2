"""From what photographs say of a claim to a verdict: t intervals, Holm's correction, three words.

References
----------
S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6(2), 1979.
R. L. Berger, "Multiparameter Hypothesis Testing and Acceptance Sampling", Technometrics 24(4), 1982, of claims that
are to hold against each of several nulls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

import numpy as np
from scipy import stats

from .finding import Finding
from .line import Line

#: Chance of an error among all verdicts of one net.
ALPHA = 0.05
#: A spread below this part of the numbers is that of their rounding.
ROUNDING = 1e-12
HOLDS, DOES_NOT, CANNOT_TELL, REPORTED = "holds", "does not", "cannot be told", "reported"


@dataclass(frozen=True)
class Effect:
    """What the photographs of one line show against one null.

    Attributes
    ----------
    null : str
        "" where the statistic itself is told.
    values : tuple of float
        Each photograph's effect, of those of which there is a number.
    mean, error : float
        And its standard error, NaN of fewer than two, and where photographs differ by no more than rounding: then
        nothing is known of their spread.
    beyond : float
        Student's t of the mean's distance from the smallest effect that counts; NaN where there is no error.
    p : float
        Two-sided, of that; 1 where there is no error.
    """

    null: str
    values: tuple[float, ...]
    mean: float
    error: float
    beyond: float
    p: float

    def interval(self, level: float = ALPHA) -> tuple[float, float]:
        """The t interval of the mean that misses it in a part ``level`` of all cases."""
        reach = float(stats.t.ppf(1 - level / 2, len(self.values) - 1)) * self.error if self.error > 0 else float("nan")
        return self.mean - reach, self.mean + reach


def effect(values: Sequence[float], least: float, null: str = "") -> Effect:
    """Of photographs' paired differences, or of the statistic itself."""
    known = tuple(float(value) for value in values if np.isfinite(value))
    mean = float(np.mean(known)) if known else float("nan")
    largest = max([abs(least), *map(abs, known)])
    if len(known) < 2 or np.ptp(known) <= ROUNDING * largest:
        return Effect(null, known, mean, float("nan"), float("nan"), 1.0)
    error = float(stats.sem(known))
    beyond = (mean - least) / error
    return Effect(null, known, mean, error, beyond, float(2 * stats.t.sf(abs(beyond), len(known) - 1)))


def against(line: Line, findings: Sequence[Finding]) -> list[Effect]:
    """The effect against each null, or of the statistic where there is no null."""
    sign = -1.0 if line.less else 1.0
    if not line.nulls:
        return [effect([sign * one.statistic for one in findings], line.least)]
    return [
        effect([sign * (one.statistic - one.nulls[null]) for one in findings], line.least, null) for null in line.nulls
    ]


def deciding(effects: Sequence[Effect]) -> tuple[Effect, int]:
    """Of the effects against several nulls the one that decides, and what its p is multiplied by for being picked.

    A claim is to hold against each null: the largest p of all decides, and needs no factor. It does not hold where it
    fails against any one: the smallest p of those decides, out of as many as there are nulls (Bonferroni).
    """
    short = [one for one in effects if one.beyond < 0]
    if short:
        return min(short, key=lambda one: one.p), len(effects)
    return max(effects, key=lambda one: one.p), 1


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Values of p, adjusted for being several: below `ALPHA` where Holm's procedure rejects at that level."""
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=lambda each: p[each])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = highest
    return adjusted


@dataclass(frozen=True)
class Judged:
    """A line of the table with what one net's photographs, by their names, make of it.

    Attributes
    ----------
    line : Line
    findings : dict of str to Finding
    effects : list of Effect
        Against each null.
    effect : Effect
        That of them which decides.
    adjusted : float
        Its p after Holm's correction.
    factor : float
        What that correction, and the choice among nulls, multiply p by.
    """

    line: Line
    findings: Mapping[str, Finding]
    effects: Sequence[Effect]
    effect: Effect
    adjusted: float
    factor: float

    def interval(self, effect: Effect) -> tuple[float, float]:
        """The 95 % interval of one of the effects, as wide as Holm's correction makes it: what the verdict goes by."""
        return effect.interval(ALPHA / self.factor)

    @property
    def verdict(self) -> str:
        """One of the three words, or that the line is only reported."""
        if not self.line.told:
            return REPORTED
        if not self.adjusted < ALPHA:
            return CANNOT_TELL
        return HOLDS if self.effect.beyond > 0 else DOES_NOT


def judged(lines: Sequence[Line], found: Mapping[str, Mapping[str, Finding]]) -> list[Judged]:
    """Each line of one net that was measured, by its findings by photograph.

    Holm's correction counts all lines that get a verdict, those too that were not measured.
    """
    each = {line.name: against(line, list(found[line.name].values())) for line in lines if found.get(line.name)}
    chosen = {name: deciding(several) for name, several in each.items()}
    p = {line.name: 1.0 for line in lines if line.told}
    p.update({name: min(1.0, one.p * times) for name, (one, times) in chosen.items() if name in p})
    adjusted, places = holm(p), {name: place for place, name in enumerate(sorted(p, key=lambda name: p[name]))}
    found_judged = []
    for line in lines:
        if line.name not in chosen:
            continue
        (own, times), corrected = chosen[line.name], adjusted.get(line.name, 1.0)
        # an earlier p that was not small enough keeps the later ones from being so
        least = times * (len(p) - places[line.name]) if line.told else 1
        factor = max(least, corrected / own.p if own.p > 0 and line.told else 1.0)
        found_judged.append(Judged(line, found[line.name], each[line.name], own, corrected, factor))
    return found_judged
