"""How a paper's panels are drawn: read back as far as their colours tell, and drawn so ourselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predicdiff.comparing.pictures import clipped, hsv_overlay, multiply_overlay, relevance_of, style_of
from predicdiff.errors import ImageError
from predicdiff.images import load_image
from predicdiff.overlays import heat

from .folder import Panel

#: The one recipe that shows nothing above a half of the largest value: with the input beside it, "multiply" does.
LIMITED = "hsv"
DRAWN = {"hsv": hsv_overlay, "multiply": multiply_overlay}


@dataclass(frozen=True, eq=False)
class Reading:
    """A panel turned back into relevance.

    Attributes
    ----------
    relevance : (h, w) float64 array
        In units of the panel's scale.
    style : str
        How it was drawn, as `style_of` gives it.
    """

    relevance: np.ndarray
    style: str

    @classmethod
    def of(cls, drawn: np.ndarray, below: np.ndarray, style: str | None = None) -> Reading:
        """From a panel and the picture below it, both (h, w, 3) uint8; the style is found out unless given."""
        style = style_of(drawn) if style is None else style
        return cls(relevance_of(drawn, style=style, ground=below), style)

    def limited(self, relevance: np.ndarray) -> np.ndarray:
        """A map (H, W) as far as a panel of this style shows it, to be held against the panel."""
        return clipped(relevance, self.style if self.style == LIMITED else "plain")


def read_panel(panel: Panel) -> Reading:
    """A panel from its file, with the picture that lies below it; an ImageError names the file."""
    drawn, below = load_image(panel.picture), load_image(panel.input)
    try:
        return Reading.of(drawn, below)
    except ImageError as error:
        raise ImageError(f"{panel.picture}: {error}") from None


def drawn_as(style: str, relevance: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A map (H, W) in a panel's style, where needed over the grey picture (H, W, 3): (H, W, 3) uint8."""
    return DRAWN[style](relevance, below) if style in DRAWN else heat(relevance)
