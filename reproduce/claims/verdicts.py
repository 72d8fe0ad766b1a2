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
    mean, low, high : float
        And the 95 % t interval; NaN of fewer than two.
    beyond : float
        Student's t of the mean's distance from the smallest effect that counts; NaN of fewer than two.
    p : float
        Two-sided, of that; 1 of fewer than two.
    """

    null: str
    values: tuple[float, ...]
    mean: float
    low: float
    high: float
    beyond: float
    p: float


def effect(values: Sequence[float], least: float, null: str = "") -> Effect:
    """Of photographs' paired differences, or of the statistic itself."""
    known = [float(value) for value in values if np.isfinite(value)]
    mean = float(np.mean(known)) if known else float("nan")
    if len(known) < 2:
        return Effect(null, tuple(known), mean, float("nan"), float("nan"), float("nan"), 1.0)
    freedom, error = len(known) - 1, float(stats.sem(known))
    reach, gap = float(stats.t.ppf(1 - ALPHA / 2, freedom)) * error, mean - least
    beyond = gap / error if error > 0 else float(np.sign(gap)) * float("inf") if gap else 0.0
    p = float(2 * stats.t.sf(abs(beyond), freedom))
    return Effect(null, tuple(known), mean, mean - reach, mean + reach, beyond, p)


def against(line: Line, findings: Sequence[Finding]) -> list[Effect]:
    """The effect against each null, or of the statistic where there is no null."""
    sign = -1.0 if line.less else 1.0
    if not line.nulls:
        return [effect([sign * one.statistic for one in findings], line.least)]
    return [
        effect([sign * (one.statistic - one.nulls[null]) for one in findings], line.least, null) for null in line.nulls
    ]


def deciding(effects: Sequence[Effect]) -> Effect:
    """Of the effects against several nulls the one that decides.

    A claim is to hold against each null: the largest p of all decides. It does not hold where it fails against one:
    that which shows it by the smallest p.
    """
    short = [one for one in effects if one.beyond < 0]
    return min(short, key=lambda one: one.p) if short else max(effects, key=lambda one: one.p)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Values of p, adjusted for being several: below `ALPHA` where Holm's procedure rejects at that level."""
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=lambda each: p[each])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = highest
    return adjusted


@dataclass(frozen=True)
class Judged:
    """A line of the table with what one net's photographs, by their names, make of it."""

    line: Line
    findings: Mapping[str, Finding]
    effect: Effect
    adjusted: float

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
    effects = {name: deciding(several) for name, several in each.items()}
    p = {line.name: effects[line.name].p if line.name in effects else 1.0 for line in lines if line.told}
    adjusted = {**dict.fromkeys(effects, 1.0), **holm(p)}
    return [
        Judged(line, found[line.name], effects[line.name], adjusted[line.name])
        for line in lines
        if line.name in effects
    ]
