"""The colours of maps, and the words that captions, legends and help texts call them by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from .errors import SettingsError


@dataclass(frozen=True)
class ColourMap:
    """Colours for values from -1, against, to 1, for; what people call them is taken by captions and help.

    Attributes
    ----------
    name : str
    stops : (n,) floats
        Ascending, from -1 to 1. Between them the colours change linearly.
    colours : (n, 3) floats
        RGB in 0..1 at the stops.
    positive, negative : str
        Words for the two colours.
    contradiction : 3 floats
        RGB in 0..1 of where two maps contradict each other: far from both colours.
    contradicting : str
        A word for that.
    even : bool
        Over white a map shows its colours themselves, whose steps are even, and over all else as much of them: at 0
        they are white. Otherwise it is as opaque as the influence is strong.
    about : str
        What the colours are good for, for help texts.
    """

    name: str
    stops: Sequence[float]
    colours: Sequence[tuple[float, float, float]]
    positive: str = "red"
    negative: str = "blue"
    contradiction: tuple[float, float, float] = (0.922, 0.627, 0.0)
    contradicting: str = "amber"
    even: bool = False
    about: str = ""

    def at(self, level: np.ndarray) -> np.ndarray:
        """RGB in 0..1, (..., 3), of values (...) in -1..1."""
        return np.stack([np.interp(level, self.stops, channel) for channel in zip(*self.colours)], axis=-1)

    def pane(self, level: np.ndarray) -> np.ndarray:
        """The same as a glass pane, (..., 4): RGB and opacity in 0..1, not multiplied into them, clear at 0."""
        colours = self.at(level)
        if not self.even:
            return np.concatenate([colours, np.abs(level)[..., None]], axis=-1)
        # the least opacity by which white from below can be what is missing to the colour
        opacity = 1.0 - colours.min(axis=-1, keepdims=True)
        pure = (colours - (1.0 - opacity)) / np.maximum(opacity, np.finfo(float).tiny)
        return np.concatenate([np.where(opacity > 0.0, pure, colours), opacity], axis=-1)

    def ink(self, sign: int) -> str:
        """A colour for letters and lines on white, ``#rrggbb``: that of half the scale, as dark as it must be."""
        colour = INK * self.at(np.array(sign * 0.5))
        while _contrast(colour) < LEGIBLE:
            colour = 0.95 * colour
        red, green, blue = eight(colour)
        return f"#{red:02x}{green:02x}{blue:02x}"


def _contrast(colour: np.ndarray) -> float:
    """That of a colour in 0..1 with white, by WCAG 2.2: from 1 to 21."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05))


#: How dark a colour map's ink is at least, since letters are thin; and its contrast with white, a little more than the
#: 4.5 that WCAG asks of small letters.
INK, LEGIBLE = 0.69, 4.6
GREEN = (0.0, 0.62, 0.451)
#: Colour maps by name.
COLOUR_MAPS = {
    one.name: one
    for one in (
        # matplotlib's, as in the paper
        ColourMap(
            "seismic",
            (-1.0, -0.5, 0.0, 0.5, 1.0),
            ((0.0, 0.0, 0.3), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.5, 0.0, 0.0)),
            about="as in the paper",
        ),
        # blue and vermilion of Masataka Okabe and Kei Ito, Color Universal Design (2002, 2008), free to use, at half of
        # the scale; seven tenths of them at its ends
        ColourMap(
            "okabe",
            (-1.0, -0.5, 0.0, 0.5, 1.0),
            ((0.0, 0.313, 0.489), (0.0, 0.447, 0.698), (1.0, 1.0, 1.0), (0.835, 0.369, 0.0), (0.585, 0.258, 0.0)),
            positive="orange", negative="blue", contradiction=GREEN, contradicting="green",
            about="for any colour vision",
        ),
        # vik by Fabio Crameri, copyright 2023, doi.org/10.5281/zenodo.1243862, MIT licence; its stops moved so that
        # equal steps look equally large, by CIEDE2000, its middle made white, and the longer side cut to the other
        ColourMap(
            "vik",
            (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0),
            (
                (0.01, 0.13, 0.42), (0.03, 0.35, 0.56), (0.27, 0.55, 0.69), (0.63, 0.78, 0.85),
                (1.0, 1.0, 1.0),
                (0.9, 0.75, 0.67), (0.79, 0.49, 0.32), (0.64, 0.25, 0.05), (0.39, 0.03, 0.03),
            ),
            positive="brown", negative="blue", contradiction=GREEN, contradicting="green", even=True,
            about="equal steps look equally large",
        ),
    )
}  # fmt: skip
DEFAULT = "seismic"


def find_colour_map(name: str = DEFAULT) -> ColourMap:
    """A colour map by its name; a SettingsError lists those that there are."""
    if name not in COLOUR_MAPS:
        raise SettingsError(f"colour map {name!r} is unknown: want one of {', '.join(COLOUR_MAPS)}.")
    return COLOUR_MAPS[name]


def eight(colours: np.ndarray) -> np.ndarray:
    """Colours in 0..1 as uint8."""
    return np.rint(colours * 255.0).astype(np.uint8)
