"""Pictures as RGB, and greys of any range as bytes."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import ImageError, SettingsError

#: Fewer of the 256 levels are too few for a picture.
FEW_LEVELS = 8
#: Pixels that are worked on at a time.
BAND = 2**20

#: The values of black and of white; None where a file's own range says so.
Intensity = Optional[Tuple[float, float]]


class Picture(NamedTuple):
    """A picture as RGB.

    Attributes
    ----------
    pixels : (H, W, 3) uint8 array
    ranged : bool
        Whether it holds greys whose black and white the file does not say: of more than 8 bits, signed, or floats.
    doubt : str or None
        Why it may look otherwise than it was meant, as a sentence about "its" values.
    choice : str or None
        Which of several pictures in a file it is, where nobody said which.
    """

    pixels: np.ndarray
    ranged: bool = False
    doubt: str | None = None
    choice: str | None = None

    @property
    def remarks(self) -> list[str]:
        """What a reader is to be told of."""
        return [remark for remark in (self.doubt, self.choice) if remark is not None]


def check_page(page: int | None, count: int) -> None:
    """An ImageError unless there is such a page, of ``count`` ones that are counted from 1."""
    if page is not None and not 1 <= page <= count:
        there = (
            "one picture alone: leave out page" if count == 1 else f"{count} pictures: want a page from 1 to {count}"
        )
        raise ImageError(f"page {page} was asked for, and it holds {there}.")


def choice(number: int, count: int) -> str | None:
    """What is said of the picture that is taken where no page was asked for."""
    if count == 1:
        return None
    return f"it holds {count} pictures, and number {number} was taken, since no other page was asked for."


def check_intensity(intensity: Any) -> Intensity:
    """Black and white as floats, or None; a SettingsError if they are no two numbers, the first below the second."""
    if intensity is None:
        return None
    try:
        low, high = (float(value) for value in intensity if not isinstance(value, str))
    except (TypeError, ValueError):
        raise SettingsError(
            f"intensity = {intensity!r}: want two numbers, of black and of white, such as (0, 4095)."
        ) from None
    if not (0 < high - low < np.inf and 255.0 / (high - low) < np.inf):
        raise SettingsError(f"intensity = {intensity!r}: want finite numbers, black below white, such as (0, 4095).")
    return (low, high)


def of_greys(values: np.ndarray, intensity: Intensity, *, turned: bool = False) -> Picture:
    """Black and white are the intensity's, or by default what `images.load_image` says; NaN and infinity are black.

    Black and white change places where ``turned``.
    """
    floats, doubts = values.dtype.kind == "f", []
    black = 0.0 if intensity is None else intensity[0]
    parts = [slice(*rows) for rows in bands(*values.shape)]
    wrong = sum(int((~np.isfinite(values[part])).sum()) for part in parts) if floats else 0
    if wrong:
        are, were = ("is", "was") if wrong == 1 else ("are", "were")
        doubts.append(f"{wrong} of its {values.size} values {are} NaN or infinite, and {were} taken for black.")
    ends = [(known.min(), known.max()) for known in (_known(values[part], black) for part in parts)]
    least, most = float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    if intensity is None:
        most = max(most, 0.0)
        white = next((white for white in (1.0, 255.0, 65535.0)[not floats :] if most <= white), most)
        doubts += _doubts_of_taken(least, most, white, floats)
    else:
        white = intensity[1]
        doubts += _doubts_of_said(least, most, black, white)
    pixels = np.empty((*values.shape, 3), np.uint8)
    for part in parts:
        levels = _bytes(_known(values[part], black) - black, white - black)
        seen = np.where(np.isfinite(values[part]), 255 - levels if turned else levels, 0)
        pixels[part] = seen[..., None]
    return Picture(pixels, ranged=True, doubt=" ".join(doubts) or None)


def bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Rows of a picture, from one to before another, so many at a time that little is made of them at once."""
    rows = max(1, BAND // max(1, width))
    return ((top, min(height, top + rows)) for top in range(0, height, rows))


def _known(values: np.ndarray, black: float) -> np.ndarray:
    """Values as float64, with ``black`` for NaN and infinity."""
    return np.where(np.isfinite(values), values.astype(np.float64), black)


def _bytes(values: np.ndarray, white: float) -> np.ndarray:
    return np.clip(np.rint(values * (255.0 / white)), 0, 255).astype(np.uint8)


def three(grey: np.ndarray) -> np.ndarray:
    """Greys (H, W) as colours (H, W, 3)."""
    return np.repeat(grey[..., None], 3, axis=2)


def _doubts_of_said(least: float, most: float, black: float, white: float) -> list[str]:
    """Why an intensity may be another file's: it leaves few of the 256 levels, though the values differ."""
    if least == most or min(most, white) - max(least, black) >= (white - black) * FEW_LEVELS / 256:
        return []
    return [
        f"its greys go from {least:.6g} to {most:.6g}, and keep few levels or none where {black:.6g} is black and "
        f"{white:.6g} white: say what black and white are in this file (intensity, --white, --intensity)."
    ]


def _doubts_of_taken(least: float, most: float, white: float, floats: bool) -> list[str]:
    """Why black may not be 0 or white not ``white``: values below zero, far below white, or floats beyond 1."""
    if least >= 0 and not (0 < most < white / 2) and not (floats and most > 1):
        return []
    if least < 0:
        black, white_found, option = least, most, f"--intensity {least:.6g},{most:.6g}"
    else:
        black, white_found = 0.0, most if floats else 2.0 ** int(most).bit_length() - 1
        option = f"--white {white_found:.6g}"
    return [
        f"its greys go from {least:.6g} to {most:.6g}, and 0 was taken for black, {white:.6g} for white: say what "
        f"black and white are, such as intensity=({black:.6g}, {white_found:.6g}) ({option})."
    ]
