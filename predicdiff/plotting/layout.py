"""How panels, which are an input or a map with its colour bar, are put on a page: in rows, with titles and captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..images import Frame
from ..palettes import DEFAULT
from .sheet import FAINT, Sheet, Slot, styled, tall, wrap

#: Inches: longer side of a map, narrowest column, lowest row, margin, gap, colour bar, room for its labels.
SIDE, NARROW, LOW, MARGIN, GAP, BAR, LABELS = 3.2, 1.7, 1.0, 0.2, 0.25, 0.12, 0.6
ACROSS = 4
#: Points: a figure's title, a panel's, its value, what was set.
HEADING, TITLE, VALUE, TEXT = 12.0, 9.5, 8.5, 7.5


class Bar(NamedTuple):
    """A colour bar: the full colour's magnitude, its unit, and whether values lie below and above it."""

    scale: float
    unit: str
    cmap: str = DEFAULT
    beyond: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class Panel:
    """Colours with a title, a line in grey under it, where they are a map a bar, and where in them the net looked."""

    colours: np.ndarray
    title: str
    value: str = ""
    bar: Bar | None = None
    frame: Frame | None = None

    @property
    def size(self) -> tuple[float, float]:
        """Inches: width and height."""
        height, width = self.colours.shape[:2]
        return SIDE * min(1.0, width / height), SIDE * min(1.0, height / width)


def lay_out(panels: Sequence[Panel], title: str, captions: Sequence[str]) -> Figure:
    """Panels in as few rows as may be, the captions below one another under them."""
    with styled():
        return _laid_out(panels, title, captions)


def _laid_out(panels: Sequence[Panel], title: str, captions: Sequence[str]) -> Figure:
    # room for titles and ticks, however narrow or low the maps
    broad = max(NARROW, *(panel.size[0] for panel in panels))
    rows, across = _rows(panels)
    deeps = [max(LOW, *(panel.size[1] for panel in row)) for row in rows]
    # a column is as wide as its map and bar, and needs no bar where nothing with one stands in it
    barred = [any(panel.bar for row in rows for panel in row[column : column + 1]) for column in range(across)]
    steps = [broad + GAP + (BAR + 0.08 + LABELS if bar else 0.0) for bar in barred]
    wide = 2 * MARGIN + sum(steps) - GAP
    heading = wrap(title, wide - 2 * MARGIN, HEADING, "bold")
    foot = "\n".join(wrap(caption, wide - 2 * MARGIN, TEXT) for caption in captions if caption)
    heads = [max(tall(wrap(p.title, broad, TITLE, "bold"), TITLE) + tall(p.value, VALUE) for p in row) for row in rows]
    top = MARGIN + tall(heading, HEADING) + (0.1 if heading else 0.0)
    high = top + sum(heads) + sum(deeps) + len(rows) * (GAP + 0.03) + tall(foot, TEXT) + MARGIN - 0.05
    sheet = Sheet(wide, high)
    sheet.text(MARGIN, MARGIN, heading, HEADING, weight="bold")
    for row, head, deep in zip(rows, heads, deeps):
        top += head + 0.03
        for column, panel in enumerate(row):
            _place(sheet, panel, (MARGIN + sum(steps[:column]), top), broad)
        top += deep + GAP
    sheet.text(MARGIN, top, foot, TEXT, color=FAINT)
    return sheet.figure


def _rows(panels: Sequence[Panel]) -> tuple[list[Sequence[Panel]], int]:
    """Panels in as few rows as may be, about equally long."""
    count = -(-len(panels) // ACROSS)
    across = -(-len(panels) // count)
    return [panels[start : start + across] for start in range(0, len(panels), across)], across


def _place(sheet: Sheet, panel: Panel, corner: tuple[float, float], broad: float) -> None:
    left, top = corner
    width, height = panel.size
    title = wrap(panel.title, broad, TITLE, "bold")
    value = top - 0.03 - tall(panel.value, VALUE)
    sheet.text(left, value - tall(title, TITLE), title, TITLE, weight="bold")
    sheet.text(left, value, panel.value, VALUE, color=FAINT)
    axes = sheet.image(panel.colours, (left, top, width, height))
    if panel.frame is not None:
        _outline(axes, panel.frame)
    if panel.bar is not None:
        slot: Slot = (left + broad + 0.08, top, BAR, max(height, LOW))
        sheet.bar(panel.bar.scale, panel.bar.unit, slot, panel.bar.cmap, panel.bar.beyond)


def _outline(axes: Axes, frame: Frame) -> None:
    """Around what the net saw of the image, where that is not all of it."""
    (top, left), (height, width) = frame.corner, frame.size
    if frame.size == frame.resized:
        return
    down, along = frame.original[0] / frame.resized[0], frame.original[1] / frame.resized[1]
    place = ((left * along - 0.5, top * down - 0.5), width * along, height * down)
    for colour, dashes in (("black", "solid"), ("white", (0, (4, 4)))):  # seen on any ground
        axes.add_patch(Rectangle(*place, fill=False, linewidth=0.8, linestyle=dashes, edgecolor=colour))
