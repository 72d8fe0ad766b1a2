"""The claims' verdicts as a table, as JSON, and as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from predicdiff.assembly import versions

from .. import common
from .line import Line, Size
from .picture import claim_picture
from .remarks import CHANGED, GENERAL, OF_LINES
from .study import Study
from .table import LINES, NOT_MEASURED
from .verdicts import ALPHA, CANNOT_TELL, DOES_NOT, HOLDS, REPORTED, Effect, Judged


@dataclass(frozen=True)
class Result:
    """What was measured before one net: its lines, and how much of each claim."""

    study: Study
    lines: Sequence[Judged]
    sizes: Mapping[str, Size]

    def size(self, line: Line) -> Size:
        """How much of a line's claim."""
        return self.sizes[line.name[0]]

    @property
    def shown(self) -> str:
        """What the net was shown, as a sentence."""
        study, photographs = self.study, self.study.photographs
        corpus = len(photographs[0].corpus)
        if study.bundled:
            return (
                f"{study.title}: {len(photographs)} bundled scenes, each explained by draws from the others. They are "
                "no photographs of the classes that the net knows: verdicts are of these scenes."
            )
        return (
            f"{study.title}: {len(photographs)} photographs, {photographs[0].name} to {photographs[-1].name}; draws "
            f"are from {corpus} others."
        )


def written(out: Path, results: Sequence[Result], note: str) -> None:
    """Write OUT/claims.json, OUT/claims.md and a picture for each claim."""
    common.write_json(out / "claims.json", common.plain(record(results, note)))
    common.write_markdown(out / "claims.md", page(results, note))
    for claim in dict.fromkeys(judged.line.name[0] for result in results for judged in result.lines):
        own = [(one.study.title, [each for each in one.lines if each.line.name[0] == claim]) for one in results]
        claim_picture(out / "claims" / f"{claim}.png", own)


def record(results: Sequence[Result], note: str) -> dict[str, Any]:
    """JSON-able: the table, and all numbers."""
    return {
        "table": [asdict(line) for line in LINES],
        "not measured": [{"claim": claim, "reason": reason} for claim, reason in NOT_MEASURED],
        "note": note,
        "changed": CHANGED,
        "versions": versions(),
        "nets": [_net(result) for result in results],
    }


def _net(result: Result) -> dict[str, Any]:
    study = result.study
    photographs = [{"name": one.name, "class": one.unit, "p": one.probability} for one in study.photographs]
    return {
        "net": study.title,
        "provenance": study.net.provenance,
        "seed": study.seed,
        "photographs": photographs,
        "bundled": study.bundled,
        "corpus": len(study.photographs[0].corpus),
        "lines": {judged.line.name: _line(result, judged) for judged in result.lines},
    }


def _line(result: Result, judged: Judged) -> dict[str, Any]:
    return {
        "verdict": judged.verdict,
        "size": asdict(result.size(judged.line)),
        "effects": [{**asdict(one), "interval": judged.interval(one)} for one in judged.effects],
        "decided by": judged.effect.null,
        "adjusted p": judged.adjusted,
        "photographs": {name: asdict(finding) for name, finding in judged.findings.items()},
    }


def page(results: Sequence[Result], note: str) -> str:
    """All of it as Markdown."""
    parts = ["# The paper's claims as numbers", *([note] if note else []), *(_words(one) for one in results), HEAD]
    parts += [one.shown for one in results]
    parts += GENERAL
    parts.append("\n".join(_verdicts(results)))
    parts += ["## What was changed after the first look", _listed(CHANGED)]
    parts += [_about(line, results) for line in LINES]
    parts += ["## What is not measured", _listed([f"{claim} {reason}" for claim, reason in NOT_MEASURED])]
    return "\n\n".join(parts) + "\n"


def _listed(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _words(result: Result) -> str:
    """Which lines have which verdict, as a sentence."""
    verdicts = {judged.line.name: judged.verdict for judged in result.lines}
    words = [HOLDS, DOES_NOT, CANNOT_TELL, REPORTED, "not measured"]
    names = {word: [line.name for line in LINES if verdicts.get(line.name, "not measured") == word] for word in words}
    return (
        f"**{result.study.title}**: " + "; ".join(f"{word}: {', '.join(names[word]) or 'none'}" for word in words) + "."
    )


HEAD = f"""Made by `make claims`. Claims are those of section 4 of the paper, in our words. Which statistic is taken,
what it is held against and the smallest effect that counts stood in `reproduce/claims/table.py` before the first run;
what was changed afterwards is said below. The photograph is the unit: an effect is the mean over photographs of the
statistic less that of what it is held against. p is that of a two-sided t test of the effect against the smallest one
that counts, after Holm's correction for all claims of a net, and each {100 * (1 - ALPHA):.0f} % interval is widened by
the same correction. A claim *holds* where that interval lies beyond the smallest effect that counts, against each of
several nulls; it *does not* where it lies on the other side, against any one of them, whose p is multiplied by their
number; else it *cannot be told* from so many photographs, and neither can it where photographs do not differ. Draws
for a photograph are made of others. Where noise could pass for an effect, products of two independent halves of the
draws are taken. In the pictures a dot is a photograph."""


def _verdicts(results: Sequence[Result]) -> Iterator[str]:
    """The table of verdicts, each with what it was made of."""
    yield "| | claim | " + " | ".join(result.study.title for result in results) + " |"
    yield "|---|---|" + "---|" * len(results)
    for line in LINES:
        cells = [_cell(line, result) for result in results]
        yield f"| {line.name} | {line.claim} | {' | '.join(cells)} |"


def _cell(line: Line, result: Result) -> str:
    judged = next((one for one in result.lines if one.line is line), None)
    if judged is None:
        return "not measured"
    word = f"**{judged.verdict}**" if line.told else f"{judged.effect.mean:.3g}"
    return f"{word}; {line.of(result.size(line), len(judged.effect.values))}"


def _about(line: Line, results: Sequence[Result]) -> str:
    """A line of the table with each net's numbers."""
    effect = "what the statistic is below that" if line.less else "what the statistic is above that"
    held = f" Held against: {'; '.join(line.nulls)}; the effect is {effect}." if line.nulls else ""
    told = f" Smallest effect that counts: {line.least:g}." if line.told else " Reported, no verdict."
    remark = f" {OF_LINES[line.name]}" if line.name in OF_LINES else ""
    head = f"## {line.name}. {line.claim}\n\nSection {line.section}. Statistic: {line.statistic}.{held}{told}{remark}"
    rows = [row for result in results for row in _rows(line, result)]
    if not rows:
        return f"{head}\n\nNot measured."
    first = next(one for one in LINES if one.name[0] == line.name[0] and _measured(one, results))
    picture = [f"\n![Each photograph's effect](claims/{line.name[0]}.png)"] if line is first else []
    titles = [
        "net",
        "statistic",
        *line.nulls,
        "effect (95 % interval after Holm)",
        *(["p after Holm"] if line.told else []),
        "verdict",
        "of",
    ]
    return "\n".join(
        [
            head,
            "",
            f"| {' | '.join(titles)} |",
            "|---" * len(titles) + "|",
            *rows,
            *_against(line, results),
            *_beside(line, results),
            *picture,
        ]
    )


def _measured(line: Line, results: Sequence[Result]) -> bool:
    return any(judged.line is line for result in results for judged in result.lines)


def _rows(line: Line, result: Result) -> Iterator[str]:
    for judged in result.lines:
        if judged.line is not line:
            continue
        findings, effect = list(judged.findings.values()), judged.effect
        means = [_mean([one.statistic for one in findings])]
        means += [_mean([one.nulls[null] for one in findings]) for null in line.nulls]
        interval = _interval(judged, effect)
        against = f", against {effect.null}" if len(line.nulls) > 1 else ""
        p = [f"{judged.adjusted:.2g}"] if line.told else []
        size = line.of(result.size(line), len(effect.values))
        if len(effect.values) < len(findings):
            size += f"; of {len(findings) - len(effect.values)} more there is no number"
        cells = [result.study.title, *means, f"{effect.mean:.3g}{interval}{against}", *p, judged.verdict, size]
        yield f"| {' | '.join(cells)} |"


def _interval(judged: Judged, effect: Effect) -> str:
    low, high = judged.interval(effect)
    return f" ({low:.3g} to {high:.3g})" if np.isfinite(low) else ""


def _against(line: Line, results: Sequence[Result]) -> Iterator[str]:
    """The effect against each of several nulls, net by net."""
    for result in results:
        for judged in result.lines:
            if judged.line is line and len(judged.effects) > 1:
                each = (f"{one.null} {one.mean:.3g}{_interval(judged, one)}" for one in judged.effects)
                yield f"\nAgainst each, {result.study.title}: {'; '.join(each)}."


def _beside(line: Line, results: Sequence[Result]) -> Iterator[str]:
    """What is reported besides, means over photographs, net by net."""
    for result in results:
        for judged in result.lines:
            findings = list(judged.findings.values())
            if judged.line is not line or not any(one.beside for one in findings):
                continue
            names = dict.fromkeys(name for one in findings for name in one.beside)
            means = (f"{name} {_mean([one.beside.get(name, np.nan) for one in findings])}" for name in names)
            yield f"\nBesides, {result.study.title}: {'; '.join(means)}."


def _mean(values: Sequence[float]) -> str:
    known = [value for value in values if np.isfinite(value)]
    return f"{np.mean(known):.4g}" if known else "none"
