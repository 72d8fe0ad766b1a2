"""Mean curves with their bands, one diagram beside the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath

from ..errors import SettingsError
from .sheet import EDGE, FAINT, FONT, INK, Sheet, styled, tall, wrap

#: Inches: a diagram, margin, room left of and below it for its labels, between diagrams, a sample of a line.
WIDTH, HEIGHT, MARGIN, LEFT, BELOW, GAP, SAMPLE = 3.4, 2.5, 0.25, 0.55, 0.5, 0.35, 0.4
#: Points: title, heads, other text.
TITLE, HEAD, TEXT = 11.0, 9.5, 8.5
#: Okabe and Ito's colours, told apart by colour-blind eyes too; and dashes for print without colours.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (2, 1)), (0, (8, 2)), (0, (3, 1, 1, 1)))
#: What `matplotlib.lines.Line2D` takes by name.
Style = Dict[str, Any]
NULL: Style = {"color": "#7f7f7f", "linestyle": (0, (1, 1.5))}


@dataclass(frozen=True)
class Curve:
    """A mean curve (n,) over 0..1 and its band, which is NaN where it is not known; a null is drawn in grey."""

    name: str
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null: bool = False


@dataclass(frozen=True)
class Diagram:
    """Its title, what its axes show, its curves."""

    title: str
    across: str
    up: str
    curves: Sequence[Curve]


def curves_figure(diagrams: Sequence[Diagram], *, title: str = "", caption: str = "") -> Figure:
    """Diagrams side by side with one scale, a key above and a caption below; each has the curves of the first.

    Parameters
    ----------
    diagrams : sequence of Diagram
    title, caption : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = [curve.name for diagram in diagrams[:1] for curve in diagram.curves]
    if not names or any([curve.name for curve in diagram.curves] != names for diagram in diagrams):
        raise SettingsError("no curves to draw: want at least one diagram, each with the same curves.")
    wide = 2 * MARGIN + len(diagrams) * (LEFT + WIDTH + GAP) - GAP
    heading, words = wrap(title, wide - 2 * MARGIN, TITLE, "bold"), wrap(caption, wide - 2 * MARGIN, TEXT)
    key = tall(heading, TITLE) + MARGIN + (0.08 if heading else 0.0)
    styles = _styles(diagrams[0].curves)
    places, deep = _key(names, wide - 2 * MARGIN)
    top = key + deep + tall(" ", HEAD) + 0.12
    with styled():
        sheet = Sheet(wide, top + HEIGHT + BELOW + tall(words, TEXT) + MARGIN)
        sheet.text(MARGIN, MARGIN, heading, TITLE, weight="bold")
        for name, style, (left, down) in zip(names, styles, places):
            _sample(sheet, style, MARGIN + left, key + down + tall(" ", TEXT) / 2)
            sheet.text(MARGIN + left + SAMPLE + 0.06, key + down, name, TEXT)
        limits = _limits(diagrams)
        for number, diagram in enumerate(diagrams):
            left = MARGIN + LEFT + number * (LEFT + WIDTH + GAP)
            sheet.text(left, top - 0.04 - tall(" ", HEAD), diagram.title, HEAD, weight="bold")
            _diagram(sheet, diagram, styles, limits, left, top)
        sheet.text(MARGIN, top + HEIGHT + BELOW, words, TEXT, color=FAINT)
    return sheet.figure


def _styles(curves: Sequence[Curve]) -> list[Style]:
    """How each curve is drawn; those that are no nulls in the order of the colours."""
    styles: list[Style] = []
    for curve in curves:
        number = sum(style is not NULL for style in styles)
        own = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}
        styles.append(NULL if curve.null else own)
    return styles


def _key(names: Sequence[str], width: float) -> tuple[list[tuple[float, float]], float]:
    """Where each name's sample stands, from the left and from above, and how high the key is."""
    measure, font = TextToPath().get_text_width_height_descent, FontProperties(family=FONT, size=TEXT)
    places, left, down, line = [], 0.0, 0.0, tall(" ", TEXT) + 0.03
    for name in names:
        step = SAMPLE + 0.06 + measure(name, font, False)[0] / 72
        if left and left + step > width:
            left, down = 0.0, down + line
        places.append((left, down))
        left += step + 0.3
    return places, down + line


def _limits(diagrams: Sequence[Diagram]) -> tuple[float, float]:
    """One scale for all: from 0, or below where something is, to a little above the highest."""
    values = np.concatenate(
        [np.ravel([curve.mean, curve.low, curve.high]) for diagram in diagrams for curve in diagram.curves]
    )
    known = values[np.isfinite(values)]
    low, high = min(0.0, known.min(initial=0.0)), known.max(initial=0.0)
    room = 0.04 * ((high - low) or 1.0)
    return (low - room if low < 0 else 0.0), high + room


def _sample(sheet: Sheet, style: Style, left: float, down: float) -> None:
    across = (left / sheet.width, (left + SAMPLE) / sheet.width)
    height = 1 - down / sheet.height
    sheet.figure.add_artist(Line2D(across, (height, height), linewidth=1.6, **style))


def _diagram(
    sheet: Sheet,
    diagram: Diagram,
    styles: Sequence[Style],
    limits: tuple[float, float],
    left: float,
    top: float,
) -> None:
    place = (left / sheet.width, 1 - (top + HEIGHT) / sheet.height, WIDTH / sheet.width, HEIGHT / sheet.height)
    axes = sheet.figure.add_axes(place)
    for curve, style in zip(diagram.curves, styles):
        at = np.linspace(0.0, 1.0, len(curve.mean))
        axes.fill_between(at, curve.low, curve.high, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(at, curve.mean, linewidth=1.6, **style)
    axes.set(xlim=(0, 1), ylim=limits)
    axes.set_xlabel(diagram.across, fontsize=TEXT, color=INK)
    axes.set_ylabel(diagram.up, fontsize=TEXT, color=INK)
    axes.tick_params(labelsize=TEXT - 1, length=2, width=0.5, color=EDGE, labelcolor=INK)
    for name, spine in axes.spines.items():
        spine.set(linewidth=0.5, color=EDGE, visible=name in ("left", "bottom"))
