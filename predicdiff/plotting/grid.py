"""Many maps on one page: blocks of an input with rows and columns of maps beside it, as in the paper's figure 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import SettingsError
from ..palettes import DEFAULT, ColourMap, find_colour_map
from .sheet import FAINT, Sheet, ramp, styled, tall, wrap

#: Inches: a map and the input, at 250 dots an inch two and three times 224 dots wide; margin, between maps, between
#: blocks, room for a row's label, widest page.
MAP, INPUT, MARGIN, GAP, APART, LABEL, PAGE = 1.792, 2.688, 0.2, 0.07, 0.27, 0.53, 16.0
#: Inches: above the foot, and its key to the colours.
ABOVE, KEY = 0.15, 0.3
#: Points: titles, column labels, other text.
TITLE, HEAD, TEXT = 12.0, 10.5, 9.5


@dataclass(frozen=True)
class Block:
    """An input and its maps.

    Attributes
    ----------
    picture : (H, W, 3) uint8 array
    columns : sequence of str
        What stands above each column of maps, e.g. the nets' names.
    panels : rows of (h, w, 3) uint8 arrays, one for each column; None leaves a place empty
    notes : rows of str, optional
        What stands under each map, e.g. its scale; "" for nothing.
    title, text : str
        What stands above and below the input, e.g. the classes that the nets predict.

    Examples
    --------
    >>> from predicdiff.plotting import Block, heat
    >>> block = Block(np.zeros((8, 8, 3), np.uint8), ["net"], [[heat(np.eye(8))]], title="tabby")
    >>> len(block.panels)
    1
    """

    picture: np.ndarray
    columns: Sequence[str]
    panels: Sequence[Sequence[np.ndarray | None]]
    notes: Sequence[Sequence[str]] = ()
    title: str = ""
    text: str = ""

    @property
    def side(self) -> float:
        """Inches that the input is wide: of a single row of maps as wide as they are, which leaves no place empty."""
        return INPUT if len(self.panels) > 1 else MAP

    @property
    def width(self) -> float:
        """Inches on the page."""
        return self.side + LABEL + len(self.columns) * (MAP + GAP) - GAP


def grid_figure(
    blocks: Sequence[Block],
    row_labels: Sequence[str],
    *,
    caption: str = "",
    across: int | None = None,
    legend: bool = True,
    cmap: str = DEFAULT,
) -> Figure:
    """Blocks side by side, as many as the page holds, in lines below one another; a caption under them.

    Of a single block, key and caption stand under its input, where there is room. A row of which no block in a line has
    a map is left out of that line.

    Parameters
    ----------
    blocks : sequence of Block
    row_labels : sequence of str
        What each row of maps shows, the same for all blocks.
    caption : str
    across : int, optional
        Blocks in a line; by default as many as fit into 16 inches.
    legend : bool
        Say which colours are for and against.
    cmap : str
        Whose colours those are: a name of `palettes.COLOUR_MAPS`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from predicdiff.plotting import Block, grid_figure, heat
    >>> blocks = [Block(np.zeros((8, 8, 3), np.uint8), ["net"], [[heat(np.eye(8))]]) for _ in range(2)]
    >>> type(grid_figure(blocks, ["marginal"], caption="Two inputs.")).__name__
    'Figure'
    """
    _check(blocks, row_labels)
    widest = max(block.width for block in blocks)
    if across is None:
        across = max(1, int((PAGE - 2 * MARGIN + APART) // (widest + APART)))
    across = min(across, len(blocks))
    bands = [_Band(blocks[start : start + across], row_labels) for start in range(0, len(blocks), across)]
    width = 2 * MARGIN + across * (widest + APART) - APART
    legend_of = find_colour_map(cmap) if legend else None
    foot, narrow = _Foot(caption, legend_of, width - 2 * MARGIN), _Foot(caption, legend_of, blocks[0].side)
    beside = len(blocks) == 1 and narrow.height + APART <= bands[0].room
    height = 2 * MARGIN + sum(band.height + APART for band in bands) - APART
    with styled():
        sheet = Sheet(width, height if beside else height + ABOVE + foot.height)
        top = MARGIN
        for band in bands:
            band.draw(sheet, top, widest + APART)
            top += band.height + APART
        if beside:
            narrow.draw(sheet, height - MARGIN - narrow.height)
        else:
            foot.draw(sheet, height - MARGIN + ABOVE)
    return sheet.figure


def _check(blocks: Sequence[Block], row_labels: Sequence[str]) -> None:
    if not blocks or not row_labels:
        raise SettingsError("no maps to draw: want at least one block and one row.")
    for block in blocks:
        for table in [block.panels] + ([block.notes] if block.notes else []):
            lengths = [len(row) for row in table]
            if lengths != [len(block.columns)] * len(row_labels) or not block.columns:
                raise SettingsError(
                    f"block {block.title!r} has rows of {lengths} maps or notes: "
                    f"want {len(row_labels)} rows of {max(1, len(block.columns))}, a map for each row and column label."
                )


class _Band:
    """A line of blocks, whose rows are at the same heights."""

    def __init__(self, blocks: Sequence[Block], row_labels: Sequence[str]) -> None:
        self.blocks, self.labels = blocks, row_labels
        self.rows = [row for row in range(len(row_labels)) if any(_maps(block.panels[row]) for block in blocks)]
        self.heads = [[wrap(label, MAP, HEAD, "bold") for label in block.columns] for block in blocks]
        self.titles = [wrap(block.title, block.side, TITLE, "bold") for block in blocks]
        head = max(tall(text, HEAD) for texts in self.heads for text in texts)
        self.head = max(head, max(tall(text, TITLE) for text in self.titles)) + 0.03
        tallest = max(_proportion(panel) for block in blocks for row in block.panels for panel in row)
        self.cell = MAP * (tallest or 1.0)
        self.tops, self.end = self._tops()
        inputs = max(block.side * _proportion(block.picture) + 0.08 + _text_height(block) for block in blocks)
        self.height = max(self.end, self.head + inputs)
        self.room = self.height - self.head - inputs  # below the inputs

    def _tops(self) -> tuple[dict[int, float], float]:
        """Where each row begins, and where the last one ends."""
        tops, top = {}, self.head
        for row in self.rows:
            noted = max((tall(_note(block, row, column), TEXT) for block in self.blocks
                         for column in range(len(block.columns))), default=0.0)  # fmt: skip
            tops[row] = top
            top += self.cell + (noted + 0.08 if noted else 0.0) + GAP
        return tops, top - GAP

    def draw(self, sheet: Sheet, top: float, step: float) -> None:
        """Put the blocks on the page, ``step`` inches apart."""
        for number, block in enumerate(self.blocks):
            left = MARGIN + number * step
            self._input(sheet, block, self.titles[number], left, top)
            for row in self.rows:
                at, words = top + self.tops[row] + self.cell / 2, wrap(self.labels[row], self.cell, TEXT)
                sheet.upright(left + block.side + LABEL - 0.04, at, words, TEXT, ha="right")
            for column, head in enumerate(self.heads[number]):
                self._column(sheet, block, column, head, left + block.side + LABEL + column * (MAP + GAP), top)

    def _input(self, sheet: Sheet, block: Block, title: str, left: float, top: float) -> None:
        height = block.side * _proportion(block.picture)
        sheet.text(left, top + self.head - 0.03 - tall(title, TITLE), title, TITLE, weight="bold")
        _sharp(sheet.image(block.picture, (left, top + self.head, block.side, height)))
        sheet.text(left, top + self.head + height + 0.08, wrap(block.text, block.side, HEAD), HEAD)

    def _column(self, sheet: Sheet, block: Block, column: int, head: str, left: float, top: float) -> None:
        middle = left + MAP / 2
        sheet.text(middle, top + self.head - 0.03 - tall(head, HEAD), head, HEAD, weight="bold", ha="center")
        for row in self.rows:
            panel = block.panels[row][column]
            if panel is not None:
                _sharp(sheet.image(panel, (left, top + self.tops[row], MAP, self.cell)))
            note = _note(block, row, column)
            sheet.text(middle, top + self.tops[row] + self.cell + 0.04, note, TEXT, color=FAINT, ha="center")


def _sharp(axes: Axes) -> None:
    """Let every pixel be a square of one colour, however large it is drawn."""
    axes.images[0].set_interpolation("nearest")


def _maps(row: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    return [panel for panel in row if panel is not None]


def _proportion(colours: np.ndarray | None) -> float:
    return 0.0 if colours is None else colours.shape[0] / colours.shape[1]


def _text_height(block: Block) -> float:
    return tall(wrap(block.text, block.side, HEAD), HEAD)


def _note(block: Block, row: int, column: int) -> str:
    return wrap(block.notes[row][column], MAP, TEXT) if block.notes else ""


class _Foot:
    """Which colours are for and against, and the caption, as wide as told."""

    def __init__(self, caption: str, colours: ColourMap | None, width: float) -> None:
        self.words, self.colours = wrap(caption, width, TEXT), colours
        self.key = KEY if colours else 0.0
        self.height = self.key + tall(self.words, TEXT)

    def draw(self, sheet: Sheet, top: float) -> None:
        """Put it on the page."""
        sheet.text(MARGIN, top + self.key, self.words, TEXT)
        if self.colours:
            sheet.text(MARGIN, top, "against", TEXT, color=self.colours.ink(-1))
            stripe = ramp(cmap=self.colours.name)[::-1].transpose(1, 0, 2)
            axes = sheet.image(stripe, (MARGIN + 0.55, top + 0.01, 1.5, 0.12))
            axes.set_aspect("auto")
            sheet.text(MARGIN + 2.12, top, "for", TEXT, color=self.colours.ink(1))
