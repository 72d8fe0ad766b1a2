"""A page to put images and text on, in inches from its top left corner, and its way into a file.

Nothing here touches pyplot or leaves a trace in matplotlib's settings, and the user's own settings do not show: the
same explanation gives the same file.
"""

from __future__ import annotations

import io
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, ContextManager, Tuple

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Polygon
from matplotlib.textpath import TextToPath
from matplotlib.ticker import MaxNLocator

from ..errors import SettingsError
from ..files import as_path
from ..ours import PROGRAM, hashed
from ..overlays import overlay
from ..palettes import DEFAULT, find_colour_map
from ..texts import escaped, shown
from ..written import written_whole

#: File endings, and what would make two files of one figure differ.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"Software": PROGRAM},
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}
#: Most pixels of a picture: half a gigabyte while it is drawn.
LARGEST = 2**27
FONT = ["DejaVu Sans"]  # comes with matplotlib
INK, FAINT, EDGE = "#1a1a1a", "#5f5f5f", "#9a9a9a"
MINUS = "\N{MINUS SIGN}"
#: From one line of text to the next, in units of its size.
LINE = 1.25
#: Inches that an arrow on a colour bar is long; and how far a tick stays from an arrow's, in units of the scale.
ARROW, APART = 0.09, 0.12
#: Of a piece of text, which files may bring; far more than our own have.
MOST_LETTERS, MOST_LINES = 4000, 100
#: Where something stands on the page: left, top, width and height, in inches.
Slot = Tuple[float, float, float, float]


def styled() -> ContextManager[None]:
    """Matplotlib's own defaults, and ids in an SVG that do not change; in force while drawing and writing only."""
    return style.context(["default", {"font.family": FONT, "pdf.fonttype": 42, "svg.hashsalt": "predicdiff"}])


class Sheet:
    """A white page of ``width`` x ``height`` inches."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white", edgecolor="white")
        FigureCanvasAgg(self.figure)

    def image(self, colours: np.ndarray, slot: Slot) -> Axes:
        """Show colours (H, W, 3) in a slot, their proportions kept; gives the axes."""
        left, top, width, height = slot
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(place)
        axes.imshow(colours)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(linewidth=0.5, color=EDGE)
        return axes

    def text(self, left: float, top: float, text: str, size: float, **how: Any) -> None:
        """Set lines below ``top``, each on its own baseline, lest letters with tails shift their neighbours."""
        for number, line in enumerate(text.split("\n") if text else []):
            self._letters(left, top + ((number + 0.72) * LINE) * size / 72, line, size, va="baseline", **how)

    def upright(self, left: float, middle: float, text: str, size: float, **how: Any) -> None:
        """Set lines from bottom to top, centred on a height."""
        self._letters(left, middle, text, size, va="center", ma="center", rotation=90, linespacing=1.1, **how)

    def _letters(self, left: float, down: float, text: str, size: float, **how: Any) -> None:
        how = {"color": INK, **how}
        plain = legible(text, how.get("weight", "normal")).replace("$", r"\$")  # a dollar sign begins no formula
        self.figure.text(left / self.width, 1 - down / self.height, plain, fontsize=size, **how)

    def bar(
        self, scale: float, unit: str, slot: Slot, cmap: str = DEFAULT, beyond: tuple[bool, bool] = (False, False)
    ) -> None:
        """An upright colour bar with full colour at ``scale``; arrows where values lie ``beyond`` its ends."""
        left, top, width, height = slot
        colours = find_colour_map(cmap)
        axes = self.image(ramp(cmap=cmap), slot)
        axes.set_aspect("auto")
        axes.images[0].set_extent((0, 1, -scale, scale))
        ticks = _ticks(scale, beyond)
        axes.set(xlim=(0, 1), ylim=(-scale, scale), yticks=list(ticks))
        axes.set_yticklabels([text.replace("-", MINUS) for text in ticks.values()], fontsize=7, color=INK)
        axes.yaxis.tick_right()
        axes.tick_params(axis="y", length=2, width=0.5, color=EDGE, pad=2)
        for sign, there, end in ((1, beyond[1], top), (-1, beyond[0], top + height)):
            if there:
                self._arrow(left, end, width, -sign * ARROW, colours.at(np.array(float(sign))))
        above, below = (ARROW if there else 0.0 for there in reversed(beyond))
        middle = left + width / 2
        self.text(middle, top - above - 0.02 - tall("for", 7), "for", 7, color=colours.ink(1), ha="center")
        self.text(middle, top + height + below + 0.03, "against", 7, color=colours.ink(-1), ha="center")
        self.upright(left + width + 0.5, top + height / 2, unit, 7, color=FAINT, ha="center")

    def _arrow(self, left: float, end: float, width: float, long: float, colour: np.ndarray) -> None:
        """A tip on a bar's end, ``long`` inches down from there, or up."""
        corners = np.array([(left, end), (left + width, end), (left + width / 2, end + long)])
        place = np.stack([corners[:, 0] / self.width, 1 - corners[:, 1] / self.height], axis=1)
        how = {"facecolor": colour, "edgecolor": EDGE, "linewidth": 0.5, "transform": self.figure.transFigure}
        self.figure.add_artist(Polygon(place, closed=True, **how))


def _ticks(scale: float, beyond: tuple[bool, bool]) -> dict[float, str]:
    """Where a colour bar has ticks, and what stands there: round numbers, and ends that values lie beyond."""
    below, above = beyond
    ends = {-scale: f"\N{LESS-THAN OR EQUAL TO}{-scale:.4g}"} if below else {}
    ends.update({scale: f"\N{GREATER-THAN OR EQUAL TO}{scale:.4g}"} if above else {})
    between = [tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(-scale, scale) if abs(tick) <= scale]
    far = [tick for tick in between if all(abs(tick - end) > APART * scale for end in ends)]
    return {**{tick: f"{tick:.4g}" for tick in far}, **ends}


def ramp(length: int = 256, cmap: str = DEFAULT) -> np.ndarray:
    """The colours from for, on top, to against, as an overlay shows them over white: (length, 1, 3) uint8."""
    levels, white = np.linspace(1.0, -1.0, length)[:, None], np.full((length, 1, 3), 255, np.uint8)
    return overlay(levels, white, scale=1.0, cmap=cmap)


def wrap(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Break lines between words, else within them, so that none is wider than ``width`` inches at ``size`` points.

    Of more than `MOST_LETTERS` letters or `MOST_LINES` lines the rest is left out.
    """
    font = FontProperties(family=FONT, size=size, weight=weight)
    measure = TextToPath().get_text_width_height_descent

    def fits(line: str) -> bool:
        return len(line) < 2 or measure(line, font, False)[0] <= width * 72

    plain = shown(legible(shown(text, MOST_LETTERS), weight), MOST_LETTERS)
    plain = plain.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
    lines = [short for line in plain.split("\n") for short in _broken(line, fits).split("\n")]
    return "\n".join(lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "..."])


def legible(text: str, weight: str = "normal") -> str:
    """Text with an escape in place of each character that does harm, or that the font has no glyph for."""
    there = _glyphs(weight)
    return "".join(one if one == "\n" or ord(one) in there else escaped(one) for one in shown(text))


@lru_cache(maxsize=None)
def _glyphs(weight: str) -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FONT, weight=weight))).get_charmap())


def _broken(line: str, fits: Callable[[str], bool]) -> str:
    lines = [""]
    for word in line.split(" "):
        if fits(f"{lines[-1]} {word}".lstrip()):
            lines[-1] = f"{lines[-1]} {word}".lstrip()
            continue
        while len(word) > 1 and not fits(word):
            part = _longest(word, fits)
            lines.append(word[:part])
            word = word[part:]
        lines.append(word)
    return "\n".join(lines).lstrip("\n")


def _longest(word: str, fits: Callable[[str], bool]) -> int:
    """How many letters of a word that does not fit do, by halving: at least one."""
    fitting, too_many = 1, len(word)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if fits(word[:middle]):
            fitting = middle
        else:
            too_many = middle
    return fitting


def tall(text: str, size: float) -> float:
    """Inches that text of ``size`` points takes, the space below it included."""
    return (text.count("\n") + 1) * size * LINE / 72 if text else 0.0


def save_figure(figure: Figure, path: str | Path, *, dpi: float = 150) -> Path:
    """Write a figure as PNG, PDF or SVG, by the path's ending; whole or not at all, and each time the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
    dpi : float
        Dots an inch of a PNG.

    Returns
    -------
    Path

    Raises
    ------
    SettingsError
        If the ending is another, or the picture would be too large to draw.
    ExplanationError
        If the file cannot be written (read-only, disk full).

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from predicdiff.plotting import beside, heat, save_figure
    >>> drawn = beside(np.zeros((3, 8, 8)), heat(np.eye(8)), "a map", scale=1.0, unit="bits")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(drawn, f"{folder}/map.png").name
    'map.png'
    """
    if not isinstance(figure, Figure):
        raise SettingsError(f"the figure is a {type(figure).__name__}: want what `figure` makes of an explanation.")
    path = as_path(path, "the figure's file")
    kind = path.suffix[1:].lower()
    if kind not in FORMATS:
        raise SettingsError(f"{path}: a figure ends in {', '.join('.' + known for known in FORMATS)}, not {kind!r}.")
    drawn = render(figure, kind, dpi)
    with written_whole(path) as part:
        part.write_bytes(drawn)
    return path


def render(figure: Figure, kind: str, dpi: float) -> bytes:
    """What `save_figure` writes."""
    width, height = figure.get_size_inches()
    most = min(math.sqrt(LARGEST / (width * height)), 2**16 / max(width, height))
    if not 1.0 <= dpi <= most:
        raise SettingsError(
            f"{dpi} dots an inch: want 1 to {most:.0f} for this figure of {width:.1f} x {height:.1f} inches."
        )
    file = io.BytesIO()
    with styled():
        figure.savefig(file, format=kind, dpi=dpi, facecolor="white", edgecolor="white", metadata=FORMATS[kind])
    return hashed(file.getvalue(), kind)
