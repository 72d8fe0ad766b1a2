"""What a comparison of two maps found, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import SettingsError
from .registration import Placement
from .similarity import Similarity

#: The figures that are held against those of other images, and what they are called.
NAMES = {
    "pearson": "Pearson",
    "spearman": "Spearman",
    "sign_agreement": "sign agreement",
    "top_overlap": "overlap of the top",
}
DRAWN = {
    "plain": "plain seismic colours",
    "hsv": "an overlay in HSV",
    "multiply": "colours times a grey picture",
    "blend": "an overlay of predicdiff",
}


def called(name: str, top: float) -> str:
    """A figure's name for people; ``top`` is the part of the pixels whose overlap is taken."""
    return NAMES[name] + (f" {100.0 * top:g} %" if name == "top_overlap" else "")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `predicdiff.compare` finds.

    Attributes
    ----------
    similarity : Similarity
    a, b : (H, W) float64 arrays
        What was compared: the first map, limited to what the picture can show (`pictures.clipped`), and the second at
        the first one's pixels; NaN where unknown.
    titles : (str, str)
        What the two show.
    top : float
        The part of the pixels whose overlap was taken.
    placement : Placement
        Where the first map's pixels lie in the second map.
    nulls : list of Similarity
        The same for maps of other images in the first one's place.
    notes : list of str
        What a reader should know before trusting the figures.
    picture : (h, w, 3) uint8 array or None
        The second as it came, where that was a picture, ``style``, how it was drawn, and ``whole``, whether it was
        taken as the whole map.
    """

    similarity: Similarity
    a: np.ndarray
    b: np.ndarray
    titles: tuple[str, str]
    top: float
    placement: Placement
    nulls: list[Similarity] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    picture: np.ndarray | None = None
    style: str | None = None
    whole: bool = False

    def null(self, name: str = "pearson") -> np.ndarray:
        """One figure of all the null maps that have it, ascending."""
        if name not in NAMES:
            raise SettingsError(f"figure {name!r} is unknown: want one of {', '.join(NAMES)}.")
        values = np.array([getattr(one, name) for one in self.nulls], np.float64)
        return np.sort(values[np.isfinite(values)])

    def rank(self, name: str = "pearson") -> int | None:
        """Place of the true figure among the nulls', 1 where it exceeds them all; an equal null comes before it.

        None where there is no figure or no null.
        """
        null, value = self.null(name), getattr(self.similarity, name)
        return None if np.isnan(value) or not null.size else 1 + int((null >= value).sum())

    def percentile(self, name: str = "pearson") -> float:
        """How many in a hundred nulls lie below the true figure; NaN where there is no figure or no null."""
        rank, count = self.rank(name), len(self.null(name))
        return np.nan if rank is None else 100.0 * (count + 1 - rank) / count

    def called(self, name: str) -> str:
        """A figure's name for people."""
        return called(name, self.top)

    def told(self, name: str) -> str:
        """A figure in words, and where it stands among the nulls."""
        null, value, rank = self.null(name), getattr(self.similarity, name), self.rank(name)
        if np.isnan(value):
            return "undefined: a map is the same everywhere"
        if rank is None:
            return f"{value:.3f}"
        above = len(null) + 1 - rank
        return f"{value:.3f}, above {above} of {len(null)} other images ({null[0]:.3f} to {null[-1]:.3f})"

    def lines(self) -> list[str]:
        """The figures in words, one a line, then how the maps came together."""
        told = [(self.called(name), self.told(name)) for name in NAMES]
        told.append(("pixels", f"{self.similarity.pixels} of {self.a.shape[0]} x {self.a.shape[1]}"))
        if self.style is not None:
            told.append(("picture", self.reading()))
        width = max(len(name) for name, _ in told)
        return [f"{name:<{width}}  {words}" for name, words in told] + [f"Note: {note}" for note in self.notes]

    def reading(self) -> str:
        """How the picture was drawn, and where in it the map lies; "" where there was none."""
        if self.style is None:
            return ""
        (down, along), (row, column) = self.placement.scale, self.placement.offset
        ends = (row + down * self.a.shape[0], column + along * self.a.shape[1])
        rows, columns = f"{row:.1f} to {ends[0]:.1f}", f"{column:.1f} to {ends[1]:.1f}"
        taken = "taken as the whole map, which" if self.whole else "the map"
        return f"{DRAWN[self.style]}; {taken} lies in rows {rows}, columns {columns}"
