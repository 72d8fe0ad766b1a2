"""The range of an image's values: what is refused where 0 to 255 are wanted, what is grey, and what is drawn white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import ImageError, InputWarning, PredicdiffError, SamplerError, warn
from .scratch import extent

#: The part of a range by which values may leave it and still be taken for it: where an image is resampled with cubic
#: weights, sharp edges overshoot by up to a quarter.
OVERSHOOT = 0.25
#: The part of a range that is one level of 8 bits. Fractions that reach no further are taken for values of 0 to 1.
STEP = 1 / 255
#: The part of a range by which rounding may carry values out of it.
ROUNDING = 0.001
#: Values lie around zero where the least is below it by more than this part of the largest magnitude.
NEARLY = 0.01
#: Fractions that all stay below this part of 255 are not taken for a photograph of 0 to 255.
DARK = 0.1
#: An image and a sampler are of different ranges where the largest magnitude of one is so many times the other's: that
#: of 12 bits is 16 times that of 8.
UNLIKE = 10.0
PIXELS_ARE = (
    "pixels are 0 to 255, and the net's preprocessing does the rest: scale them (of 16 bits: divide by 257), or load "
    "the net with preprocessing=None if these are its inputs."
)


@dataclass(frozen=True)
class Tones:
    """The values that are black, grey and white among others.

    Attributes
    ----------
    black, grey, white : float
    of : {"pixels", "values", "activations"}
        Pixels of 0 to 255, as a net's preprocessing takes them; values of an image of which nothing else is known; or
        activations of a hidden blob.
    """

    black: float
    grey: float
    white: float
    of: str = "values"

    def far(self, values: np.ndarray) -> bool:
        """Whether any of the values lies further from black and white than these do from each other."""
        width = self.white - self.black
        outside = (values < self.black - width) | (values > self.white + width)
        return bool(width > 0 and np.any(outside))


#: Those of the pixels that a net with preprocessing takes.
PIXELS = Tones(0.0, 127.5, 255.0, "pixels")


def tones_of(values: np.ndarray, *, pixels: bool = False) -> Tones:
    """What is black, grey and white among values (C, H, W): `PIXELS` for those of a net with preprocessing.

    Where nothing is known but the values, 0 to 1 have 0.5 for grey, 0 to 255 have 127.5, and what lies around zero has
    zero. All else goes from its least to its largest value, with the middle for grey. Whole numbers up to 255 are taken
    for a photograph of 0 to 255, however dark.
    """
    if pixels:
        return PIXELS
    values = np.asarray(values)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if low < -NEARLY * max(high, -low):
        return Tones(low, 0.0, high)
    whole = values.dtype.kind in "iu"
    if high <= 1 + NEARLY and not whole:
        return Tones(0.0, 0.5, 1.0)
    if high <= 255 * (1 + NEARLY) and (high > DARK * 255 or whole or bool((known == np.rint(known)).all())):
        return Tones(0.0, 127.5, 255.0)
    return Tones(low, (low + high) / 2, high)


def activation_tones(values: np.ndarray) -> Tones:
    """What is least, grey and largest among a hidden blob's activations: grey is zero, which excites nothing."""
    return Tones(min(0.0, float(np.min(values))), 0.0, max(0.0, float(np.max(values))), "activations")


def check_pixels(values: np.ndarray, whose: str = "the image's") -> None:
    """Refuse or warn of values that are no pixels, for a net whose preprocessing takes 0 to 255.

    Raises
    ------
    ImageError
        If they leave 0..255 by more than resampling does.

    Warns
    -----
    InputWarning
        If they leave 0..255 by less, or are fractions that reach no further than 1.
    """
    if values.dtype == np.uint8 or values.dtype.kind not in "biuf" or values.size == 0:
        return
    # of whole numbers 0 and 1 are a very dark picture
    check_range(*extent(values), PIXELS_ARE, whose=whose, fractions=values.dtype.kind not in "iu")


def check_range(
    low: float,
    high: float,
    wanted: str,
    *,
    whose: str,
    bounds: tuple[float, float] = (0.0, 255.0),
    fractions: bool = True,
    error: type[PredicdiffError] = ImageError,
) -> None:
    """Refuse values from ``low`` to ``high`` that leave ``bounds`` by more than resampling does, warn of some others.

    Those are values that leave the bounds by less, and, with ``fractions``, values that look like 0 to 1 since they
    reach no further than the first of 255 levels. ``wanted`` ends the message: what is wanted, and what to do.
    """
    refuse_beyond(low, high, wanted, whose=whose, bounds=bounds, error=error)
    step = STEP * (bounds[1] - bounds[0])
    small = fractions and bounds[0] < high <= bounds[0] + (1 + OVERSHOOT) * step
    if small or low < bounds[0] - step or high > bounds[1] + step:
        warn(_said(low, high, wanted, whose), InputWarning)


def refuse_beyond(
    low: float, high: float, wanted: str, *, whose: str, bounds: tuple[float, float], error: type[PredicdiffError]
) -> None:
    """Refuse values that leave ``bounds`` by more than a quarter of their range or of the bounds', whichever is less.

    Their range counts too because values around zero, such as -2 to 2, leave 0..255 by little and are no pixels.
    """
    width = bounds[1] - bounds[0]
    slack = OVERSHOOT * min(width, high - low) + ROUNDING * width
    if low < bounds[0] - slack or high > bounds[1] + slack:
        raise error(_said(low, high, wanted, whose))


def check_corpus(low: float, high: float, tones: Tones) -> None:
    """Refuse or warn of a sampler whose values, from ``low`` to ``high``, are of another range than the image's.

    Raises
    ------
    SamplerError
        If a net's preprocessing takes 0 to 255, and they leave that.
    """
    if tones.of == "activations":
        return  # those of two images may differ as much without any mistake
    if tones.of == "pixels":
        check_range(low, high, PIXELS_ARE, whose="the sampler's", error=SamplerError)
        return
    own, image = (max(abs(least), abs(most)) for least, most in ((low, high), (tones.black, tones.white)))
    if image > 0 and not image <= UNLIKE * own <= UNLIKE**2 * image:
        warn(
            f"the sampler's values go from {low:.5g} to {high:.5g}, those that its draws are set into from "
            f"{tones.black:.5g} to {tones.white:.5g}: make it of images that are brought to the same range.",
            InputWarning,
        )


def _said(low: float, high: float, wanted: str, whose: str) -> str:
    return f"{whose} values go from {low:.5g} to {high:.5g}, but {wanted}"
