"""The picture of a comparison: both maps, the second as it came, where they agree, the figures among their nulls."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from ..comparing.comparison import Comparison
from ..comparing.pictures import LIMITED
from ..overlays import heat, symmetric_scale
from ..palettes import DEFAULT, find_colour_map
from .sheet import EDGE, FAINT, MINUS, Sheet, styled, tall, wrap

#: Inches: longer side of a map, narrowest column, margin, gap; a line of the table, names, strip of nulls, its ends.
SIDE, NARROW, MARGIN, GAP, ROW, NAME, STRIP, END = 2.6, 1.7, 0.2, 0.25, 0.24, 1.5, 2.0, 0.2
#: Points: title, heads, text.
TITLE, HEAD, TEXT = 12.0, 9.5, 8.5
#: The line of a figure among those of its nulls.
ACCENT = "#b00000"
RANGES = {"pearson": (-1.0, 1.0), "spearman": (-1.0, 1.0), "sign_agreement": (0.0, 1.0), "top_overlap": (0.0, 1.0)}


def agreement(a: np.ndarray, b: np.ndarray, *, cmap: str = DEFAULT) -> np.ndarray:
    """Where two maps agree: the colours of for and of against where both are, another where they contradict.

    As strong as the geometric mean of the two magnitudes, each in units of its own `symmetric_scale`.

    Parameters
    ----------
    a, b : (H, W) float arrays
    cmap : str
        A name of `palettes.COLOUR_MAPS`, which says what the other colour is.

    Returns
    -------
    (H, W, 3) uint8 array
        The colour of zero where either is zero, light grey where either is unknown.
    """
    product = (a / symmetric_scale(a)) * (b / symmetric_scale(b))
    strength = np.sqrt(np.abs(product))
    colours = heat(np.where(product > 0, strength * np.sign(a), 0.0 * product), scale=1.0, cmap=cmap)
    depth, words = np.clip(strength, 0.0, 1.0)[..., None], find_colour_map(cmap)
    zero = words.at(np.array(0.0))
    contradiction = 255.0 * (zero + depth * (words.contradiction - zero))
    return np.rint(np.where((product < 0)[..., None], contradiction, colours)).astype(np.uint8)


def comparison_figure(comparison: Comparison, title: str = "", *, cmap: str = DEFAULT) -> Figure:
    """Both maps, the second as it came, where they agree, and the figures among their nulls.

    Parameters
    ----------
    comparison : Comparison
        What `predicdiff.compare` gives.
    title : str
    cmap : str
        A name of `palettes.COLOUR_MAPS`.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`, or to go on drawing.

    Examples
    --------
    >>> import predicdiff as pd
    >>> from predicdiff.plotting import comparison_figure
    >>> rows = np.sin(np.mgrid[:20, :20][0] / 3)
    >>> type(comparison_figure(pd.compare(rows, rows + 0.1))).__name__
    'Figure'
    """
    panels = _panels(comparison, cmap)
    height, width = comparison.a.shape
    size = (SIDE * min(1.0, width / height), SIDE * min(1.0, height / width))
    broad = max(size[0], NARROW)
    wide = 2 * MARGIN + len(panels) * (broad + GAP) - GAP
    heading = wrap(title, wide - 2 * MARGIN, TITLE, "bold")
    heads = [wrap(name, broad, HEAD, "bold") for name, _, _ in panels]
    texts = [wrap(words, broad, TEXT) for _, words, _ in panels]
    notes = "\n".join(wrap(f"Note: {note}", wide - 2 * MARGIN, TEXT) for note in comparison.notes)
    top = MARGIN + tall(heading, TITLE) + (0.1 if heading else 0.0) + max(tall(head, HEAD) for head in heads) + 0.04
    table = top + size[1] + 0.06 + max(tall(text, TEXT) for text in texts) + 0.15
    below = table + len(RANGES) * ROW + (0.1 if notes else 0.0)
    with styled():
        sheet = Sheet(wide, below + tall(notes, TEXT) + MARGIN)
        sheet.text(MARGIN, MARGIN, heading, TITLE, weight="bold")
        for number, (head, text, (_, _, colours)) in enumerate(zip(heads, texts, panels)):
            left = MARGIN + number * (broad + GAP)
            sheet.text(left, top - 0.04 - tall(head, HEAD), head, HEAD, weight="bold")
            sheet.image(colours, (left, top, *size))
            sheet.text(left, top + size[1] + 0.06, text, TEXT, color=FAINT)
        for number, name in enumerate(RANGES):
            _row(sheet, comparison, name, table + number * ROW)
        sheet.text(MARGIN, below, notes, TEXT, color=FAINT)
    return sheet.figure


def _panels(comparison: Comparison, cmap: str) -> list[tuple[str, str, np.ndarray]]:
    """Head, text under it and colours of each."""
    first, second = comparison.titles
    colours, words = partial(heat, cmap=cmap), find_colour_map(cmap)
    # limited to half of its largest value, it keeps the colours that it had
    scale = 2.0 * symmetric_scale(comparison.a) if comparison.style in LIMITED else None
    panels = [(first, "", colours(comparison.a, scale=scale))]
    if comparison.picture is None:
        panels.append((second, "", colours(comparison.b)))
    else:
        panels.append((second, "as it came", comparison.picture))
        # in the picture's own units, as it was drawn
        panels.append((f"{second}, turned back", f"read as {comparison.reading()}", colours(comparison.b, scale=1.0)))
    key = f"{words.positive} for in both, {words.negative} against in both, {words.contradicting} in contradiction"
    return [*panels, ("agreement", key, agreement(comparison.a, comparison.b, cmap=cmap))]


def _row(sheet: Sheet, comparison: Comparison, name: str, top: float) -> None:
    """A figure's name, where it and the nulls lie in its range, and the same in words."""
    sheet.text(MARGIN, top, comparison.called(name), TEXT)
    left = MARGIN + NAME
    if comparison.null(name).size:
        _strip(sheet, comparison, name, left, top)
        left += STRIP + 2 * END + 0.15
    sheet.text(left, top, comparison.told(name), TEXT)


def _strip(sheet: Sheet, comparison: Comparison, name: str, left: float, top: float) -> None:
    """The range of a figure, a line for each null and a thick one for the figure."""
    low, high = RANGES[name]
    sheet.text(left + END - 0.05, top + 0.015, f"{low:.0f}".replace("-", MINUS), 7, color=FAINT, ha="right")
    sheet.text(left + END + STRIP + 0.05, top + 0.015, f"{high:.0f}", 7, color=FAINT)
    deep = 0.6 * ROW
    down, along = sheet.height, sheet.width
    axes = sheet.figure.add_axes(((left + END) / along, 1 - (top + deep) / down, STRIP / along, deep / down))
    axes.vlines(comparison.null(name), 0, 1, color=FAINT, linewidth=0.6)
    value = getattr(comparison.similarity, name)
    axes.vlines([] if np.isnan(value) else [value], 0, 1, color=ACCENT, linewidth=1.8)
    axes.set(xlim=(low, high), ylim=(0, 1), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(linewidth=0.5, color=EDGE)
