"""A picture of a claim: each photograph's effect, and the mean with its interval, beside the smallest that counts."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from predicdiff.plotting import save_figure
from predicdiff.plotting.curves import COLOURS, TEXT
from predicdiff.plotting.sheet import EDGE, FAINT, INK, Sheet, styled, tall, wrap

from .line import Line
from .verdicts import Judged

#: Inches: names at the left, a diagram, a net's row, what lies below a diagram, the margin.
NAMES, WIDTH, ROW, BELOW, MARGIN = 1.2, 4.6, 0.32, 0.55, 0.2
#: Of what photographs are scattered up and down, lest they hide each other.
SCATTER = 0.12


def claim_picture(path: Path, nets: Sequence[tuple[str, Sequence[Judged]]]) -> Path:
    """Write a diagram for each line of a claim that was measured, with a row for each net, by the nets' titles."""
    lines: dict[str, Line] = {judged.line.name: judged.line for _title, each in nets for judged in each}
    with styled():
        return save_figure(_figure(list(lines.values()), nets), path)


def _figure(lines: Sequence[Line], nets: Sequence[tuple[str, Sequence[Judged]]]) -> Figure:
    heads = [wrap(f"{line.name}. {line.claim}", NAMES + WIDTH, TEXT) for line in lines]
    rows = [[(title, one) for title, each in nets for one in each if one.line is line] for line in lines]
    heights = [tall(head, TEXT) + ROW * len(row) + BELOW for head, row in zip(heads, rows)]
    sheet = Sheet(NAMES + WIDTH + 2 * MARGIN, sum(heights) + 2 * MARGIN)
    top = MARGIN
    for line, head, row, height in zip(lines, heads, rows, heights):
        sheet.text(MARGIN, top, head, TEXT)
        down, high = top + tall(head, TEXT), ROW * len(row)
        place = ((MARGIN + NAMES) / sheet.width, 1 - (down + high) / sheet.height)
        axes = sheet.figure.add_axes((*place, WIDTH / sheet.width, high / sheet.height))
        _diagram(axes, line, row)
        top += height
    return sheet.figure


def _diagram(axes: Axes, line: Line, rows: Sequence[tuple[str, Judged]]) -> None:
    against = {judged.effect.null for _title, judged in rows if judged.effect.null}
    axes.axvline(0, color=EDGE, linewidth=0.5)
    axes.axvline(line.least, color=INK, linewidth=0.7, linestyle=(0, (4, 2)))
    for number, (_title, judged) in enumerate(rows):
        effect, colour = judged.effect, COLOURS[number % len(COLOURS)]
        up = number + SCATTER * np.resize([1, -1, 2, -2], len(effect.values))
        axes.plot(effect.values, up, "o", color=colour, alpha=0.45, markersize=3, markeredgewidth=0)
        axes.plot(judged.interval(effect), [number, number], color=colour, linewidth=2)
        axes.plot([effect.mean], [number], "|", color=INK, markersize=9)
    axes.set(ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)))
    axes.set_yticklabels([f"{title}\n{judged.verdict}" for title, judged in rows], fontsize=TEXT - 2, color=INK)
    how = "how far it is below" if line.less else "how far it is above"
    words = f"{how}: {', '.join(sorted(against))}" if against else "the statistic itself"
    axes.set_xlabel(f"{words}; dashed: the smallest that counts", fontsize=TEXT - 2, color=FAINT)
    axes.tick_params(labelsize=TEXT - 2, length=2, width=0.5, color=EDGE)
    for name, spine in axes.spines.items():
        spine.set(linewidth=0.5, color=EDGE, visible=name == "bottom")
