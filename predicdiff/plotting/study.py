"""The page of a study: rows of maps under headings, and below them bars and histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Union

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import SettingsError
from ..palettes import DEFAULT, ColourMap, find_colour_map
from ..texts import one_line
from .maps import Panel
from .sheet import EDGE, FAINT, INK, MINUS, Sheet, Slot, styled, tall, wrap

#: Inches: longer side of a map, margin, gap, colour bar with its labels, between rows.
SIDE, MARGIN, GAP, BAR, LABELS, APART = 2.2, 0.25, 0.3, 0.12, 0.62, 0.25
#: Inches by which lines over a map are kept shorter than it: drawn in dots, letters are a little wider than measured.
SLACK = 0.08
#: Maps in a row; the columns that names of bars, and a diagram of bars with its names, take.
ACROSS, NAMES, BARS = 4, 0.85, 2
#: Inches: least height of a diagram, of one bar, room below for ticks and words, left of a histogram for its counts.
HEIGHT, STEP, BELOW, LEFT = 1.7, 0.21, 0.5, 0.4
#: Points: title, headings, heads, text.
TITLE, HEADING, HEAD, TEXT = 12.0, 10.5, 9.0, 8.0
#: Letters of a panel's title, which may be a file's name, and of the words under it.
MOST_OF_TITLE, MOST_OF_WORDS = 48, 80
#: Bars that a diagram has room for at least: fewer are no thicker.
FEWEST_BARS = 6
BINS = 24
NULL = "#7f7f7f"


@dataclass(frozen=True)
class Strip:
    """At most four panels in a row, under a heading and a line that says what they are."""

    heading: str
    words: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Bars:
    """A bar to the right and one to the left for each name, the first on top; what they measure stands below."""

    heading: str
    words: str
    names: Sequence[str]
    right: np.ndarray
    left: np.ndarray


@dataclass(frozen=True)
class Counts:
    """How many images have which value, from ``low`` to ``high``; a ``null`` is drawn behind in grey."""

    heading: str
    words: str
    values: np.ndarray
    null: np.ndarray
    low: float = -1.0
    high: float = 1.0


@dataclass(frozen=True)
class Places:
    """Parts (r, c) of a whole for each place of a map, one table in the colour of for and one in that of against."""

    heading: str
    words: str
    right: np.ndarray
    left: np.ndarray


Diagram = Union[Bars, Counts, Places]


def study_figure(
    strips: Sequence[Strip],
    diagrams: Sequence[Diagram] = (),
    *,
    unit: str = "",
    title: str = "",
    caption: str = "",
    cmap: str = DEFAULT,
) -> Figure:
    """Rows of maps, a row of diagrams below them, and a caption.

    Parameters
    ----------
    strips : sequence of Strip
    diagrams : sequence of Bars, Counts and Places
        Bars are as wide as two maps, others as one; all have to fit side by side.
    unit : str
        What bars for classes measure.
    title, caption : str
    cmap : str
        A name of `palettes.COLOUR_MAPS`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SettingsError
        If there is nothing to draw, or more than fits in a row.
    """
    longest = max([len(strip.panels) for strip in strips], default=0)
    columns = sum(BARS if isinstance(one, Bars) else 1 for one in diagrams)
    if max(longest, columns) > ACROSS or longest + columns == 0:
        raise SettingsError(f"rows of {longest} maps and diagrams as wide as {columns}: want 1 to {ACROSS}.")
    with styled():
        return _Page(strips, diagrams, unit, title, caption, cmap).drawn()


class _Page:
    """Where everything stands; what is higher than another thing moves all that is below."""

    def __init__(
        self,
        strips: Sequence[Strip],
        diagrams: Sequence[Diagram],
        unit: str,
        title: str,
        caption: str,
        cmap: str,
    ) -> None:
        self.strips, self.diagrams, self.unit = strips, diagrams, unit
        self.colours = find_colour_map(cmap)
        self.lefts = self._lefts()
        self.wide = self.lefts.pop() - GAP + MARGIN
        self.title = wrap(title, self.wide - 2 * MARGIN, TITLE, "bold")
        self.caption = wrap(caption, self.wide - 2 * MARGIN, TEXT)
        self.top = MARGIN + tall(self.title, TITLE) + (0.1 if title else 0.0)

    def _lefts(self) -> list[float]:
        """Where each column begins, and where one more would; one with a colour bar keeps room for it in all rows."""
        lefts = [MARGIN]
        for column in range(ACROSS):
            rows = [strip.panels[column : column + 1] for strip in self.strips]
            bar = any(panel.bar is not None for row in rows for panel in row)
            lefts.append(lefts[-1] + SIDE + GAP + (BAR + LABELS if bar else 0.0))
        return lefts

    def drawn(self) -> Figure:
        """The page."""
        rows = [_Row(strip, self) for strip in self.strips]
        diagrams = _Diagrams(self.diagrams, self)
        high = self.top + sum(row.height + APART for row in rows) + diagrams.height
        sheet = Sheet(self.wide, high + tall(self.caption, TEXT) + MARGIN)
        sheet.text(MARGIN, MARGIN, self.title, TITLE, weight="bold")
        top = self.top
        for row in rows:
            row.draw(sheet, top)
            top += row.height + APART
        diagrams.draw(sheet, top)
        sheet.text(MARGIN, high, self.caption, TEXT, color=FAINT)
        return sheet.figure


class _Row:
    """A strip on a page."""

    def __init__(self, strip: Strip, page: _Page) -> None:
        self.strip, self.page = strip, page
        width = page.wide - 2 * MARGIN
        self.heading, self.words = wrap(strip.heading, width, HEADING, "bold"), wrap(strip.words, width, TEXT)
        self.titles = [wrap(one_line(panel.title, MOST_OF_TITLE), SIDE - SLACK, HEAD, "bold") for panel in strip.panels]
        self.values = [wrap(one_line(panel.value, MOST_OF_WORDS), SIDE - SLACK, TEXT) for panel in strip.panels]
        self.sizes = [_size(panel) for panel in strip.panels]
        self.said = tall(self.heading, HEADING) + tall(self.words, TEXT) + 0.06
        titled = max(tall(title, HEAD) + tall(value, TEXT) for title, value in zip(self.titles, self.values))
        self.map = self.said + titled + 0.04
        self.height = self.map + max(height for _, height in self.sizes)

    def draw(self, sheet: Sheet, top: float) -> None:
        """Put it on a sheet."""
        sheet.text(MARGIN, top, self.heading, HEADING, weight="bold")
        sheet.text(MARGIN, top + tall(self.heading, HEADING), self.words, TEXT, color=FAINT)
        for left, panel, title, value, size in zip(
            self.page.lefts, self.strip.panels, self.titles, self.values, self.sizes
        ):
            under = top + self.map - 0.04 - tall(value, TEXT)
            sheet.text(left, under - tall(title, HEAD), title, HEAD, weight="bold")
            sheet.text(left, under, value, TEXT, color=FAINT)
            sheet.image(panel.colours, (left, top + self.map, *size))
            if panel.bar is not None:
                slot = (left + SIDE + 0.08, top + self.map, BAR, size[1])
                sheet.bar(panel.bar.scale, panel.bar.unit, slot, panel.bar.cmap, panel.bar.beyond)


def _size(panel: Panel) -> tuple[float, float]:
    height, width = panel.colours.shape[:2]
    return (SIDE * min(1.0, width / height), SIDE * min(1.0, height / width))


class _Diagrams:
    """Bars and histograms side by side."""

    def __init__(self, diagrams: Sequence[Diagram], page: _Page) -> None:
        self.diagrams, self.page = diagrams, page
        self.starts, self.widths = self._columns()
        self.headings = [wrap(one.heading, width, HEADING, "bold") for one, width in zip(diagrams, self.widths)]
        self.words = [wrap(one.words, width, TEXT) for one, width in zip(diagrams, self.widths)]
        said = [tall(heading, HEADING) + tall(words, TEXT) for heading, words in zip(self.headings, self.words)]
        self.said = max(said, default=0.0) + 0.06
        self.deep = max([HEIGHT] + [STEP * _rows(one) + 0.1 for one in diagrams if isinstance(one, Bars)])
        self.height = self.said + self.deep + BELOW if diagrams else 0.0

    def _columns(self) -> tuple[list[float], list[float]]:
        """Where each begins, and how wide it is."""
        starts, widths, column = [], [], 0
        for one in self.diagrams:
            last = column + (BARS if isinstance(one, Bars) else 1) - 1
            starts.append(self.page.lefts[column])
            widths.append(self.page.lefts[last] + SIDE - starts[-1])
            column = last + 1
        return starts, widths

    def draw(self, sheet: Sheet, top: float) -> None:
        """Put them on a sheet."""
        for one, left, width, heading, words in zip(self.diagrams, self.starts, self.widths, self.headings, self.words):
            sheet.text(left, top, heading, HEADING, weight="bold")
            sheet.text(left, top + tall(heading, HEADING), words, TEXT, color=FAINT)
            at = (left, top + self.said, width, self.deep)
            if isinstance(one, Bars):
                self._bars(sheet, one, at)
            elif isinstance(one, Counts):
                _draw_counts(_axes(sheet, left + LEFT, at[1], width - LEFT, self.deep), one, self.page.colours.ink(1))
            else:
                side = min(width, self.deep)
                _draw_places(_axes(sheet, left, at[1], side, side), one, self.page.colours)

    def _bars(self, sheet: Sheet, bars: Bars, slot: Slot) -> None:
        left, top, width, height = slot
        room = NAMES * SIDE
        axes = _axes(sheet, left + room, top, width - room, height)
        _draw_bars(axes, bars, self.page.colours)
        axes.set_xlabel(self.page.unit, fontsize=TEXT, color=INK)
        self._names(sheet, bars, left, top, room - 0.08)

    def _names(self, sheet: Sheet, bars: Bars, left: float, top: float, room: float) -> None:
        """One line each beside its bar; of a longer one the middle is left out."""
        step = self.deep / _rows(bars)
        for number, name in enumerate(bars.names):
            middle = top + (number + 0.5) * step
            sheet.text(left + room, middle - tall(" ", TEXT) / 2, _fitted(name, room), TEXT, ha="right")


def _rows(bars: Bars) -> int:
    """As many as a diagram has room for."""
    return max(len(bars.names), FEWEST_BARS)


def _axes(sheet: Sheet, left: float, top: float, width: float, height: float) -> Axes:
    place = (left / sheet.width, 1 - (top + height) / sheet.height, width / sheet.width, height / sheet.height)
    axes = sheet.figure.add_axes(place)
    axes.tick_params(labelsize=TEXT - 1, length=2, width=0.5, color=EDGE, labelcolor=INK)
    for name, spine in axes.spines.items():
        spine.set(linewidth=0.5, color=EDGE, visible=name in ("left", "bottom"))
    return axes


def _draw_bars(axes: Axes, bars: Bars, colours: ColourMap) -> None:
    at = np.arange(len(bars.names))
    axes.barh(at, bars.right, height=0.7, color=colours.ink(1))
    axes.barh(at, -np.asarray(bars.left), height=0.7, color=colours.ink(-1))
    axes.axvline(0.0, color=EDGE, linewidth=0.5)
    low, high = -float(np.max(bars.left, initial=0.0)), float(np.max(bars.right, initial=0.0))
    room = 0.04 * ((high - low) or 1.0)
    axes.set(ylim=(_rows(bars) - 0.5, -0.5), yticks=[], xlim=(low - room, high + room))
    axes.spines["left"].set_visible(False)
    ticks = np.asarray(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high))
    ticks = ticks[(ticks >= low - room) & (ticks <= high + room)]
    axes.set_xticks(ticks)
    axes.set_xticklabels([f"{abs(tick):.4g}" for tick in ticks])


def _draw_counts(axes: Axes, counts: Counts, colour: str) -> None:
    edges = np.linspace(counts.low, counts.high, BINS + 1).tolist()
    if len(counts.null):
        axes.hist(counts.null, edges, color=NULL, alpha=0.45, linewidth=0)
    axes.hist(counts.values, edges, color=colour, alpha=0.55, linewidth=0)
    if len(counts.values):
        axes.axvline(float(np.mean(counts.values)), color=colour, linewidth=1.4)
    if len(counts.null):
        axes.axvline(float(np.mean(counts.null)), color=NULL, linewidth=1.4, linestyle=(0, (3, 1.5)))
    ticks = np.linspace(counts.low, counts.high, 5)
    axes.set(xlim=(counts.low, counts.high), xticks=ticks)
    axes.set_xticklabels([f"{tick:g}".replace("-", MINUS) for tick in ticks])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("images", fontsize=TEXT, color=INK)


def _draw_places(axes: Axes, places: Places, colours: ColourMap) -> None:
    rows, columns = places.right.shape
    for table, sign, up in ((places.right, 1, 0.38), (places.left, -1, 0.66)):
        for row in range(rows):
            for column in range(columns):
                share = table[row, column]
                words = f"{100.0 * share:.1f} %" if np.isfinite(share) else "-"
                at = (column + 0.5, row + up)
                axes.text(*at, words, fontsize=TEXT, ha="center", va="center", color=colours.ink(sign))
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=range(1, columns), yticks=range(1, rows))
    axes.set(xticklabels=[], yticklabels=[])
    axes.tick_params(length=0)
    axes.grid(color=EDGE, linewidth=0.5)


def _fitted(text: str, width: float) -> str:
    """As much of a text as stands in one line."""
    whole = one_line(text)
    fitting, too_many = 4, min(len(whole), MOST_OF_TITLE) + 1
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if "\n" in wrap(one_line(whole, middle), width, TEXT):
            too_many = middle
        else:
            fitting = middle
    return one_line(whole, fitting)
