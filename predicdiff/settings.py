"""What an analysis is asked to do, checked as far as it can be without a net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from .between import BETWEEN
from .errors import SettingsError
from .masks import checked_mask
from .protocols import UnitLike
from .samplers.streams import check_seed
from .shapes.labels import SegmentsLike, check_segments
from .shapes.region import check_region
from .units import whole_number
from .windows import Sides, SidesLike, WindowLike, as_asked, sides, to_be_spanned

MEASURES = ("evidence", "activation")
#: How settings that are whole numbers are called in errors.
COUNTED = {
    "samples": "samples S", "top": "top", "repeat": "repeat",
    "training_instances": "training_instances N",
}  # fmt: skip
#: Passes that one value may be averaged over: the image itself takes as many before anything is said of time.
MOST_REPEATED = 10_000
#: Those that may be left open.
OPTIONAL = ("top", "training_instances")


@dataclass(frozen=True, eq=False)
class Settings:
    """The arguments of `explain` that decide what comes out; None leaves the choice to the net.

    Where ``until`` or ``budget`` says when to stop, ``samples`` and ``stride`` are the finest that it may come to.

    Raises
    ------
    SettingsError
        If one is out of its range, or contradicts another.
    """

    window: WindowLike
    samples: int
    stride: SidesLike
    blob: str | None = None
    units: Sequence[UnitLike] | None = None
    channels: Sequence[int] | None = None
    top: int | None = None
    against: UnitLike | None = None
    measure: str | None = None
    seed: int = 0
    training_instances: int | None = None
    start: str | None = None
    channels_apart: bool = False
    repeat: int = 1
    between: str | None = None
    until: float | None = None
    budget: float | None = None
    region: Sequence[int] | None = None
    segments: SegmentsLike | None = None
    mask: Any = None

    def __post_init__(self) -> None:
        """Check, and make plain ints of whatever counts."""
        numbers: dict[str, Any] = {
            name: whole_number(words, getattr(self, name))
            for name, words in COUNTED.items()
            if name not in OPTIONAL or getattr(self, name) is not None
        }
        stride = as_asked(sides(self.stride, what="stride"))
        plain = {
            "window": to_be_spanned(self.window), "stride": stride, "seed": check_seed(self.seed),
            "region": check_region(self.region), "segments": check_segments(self.segments),
        }  # fmt: skip
        for name, value in {**numbers, **plain, "channels_apart": bool(self.channels_apart)}.items():
            object.__setattr__(self, name, value)
        if self.samples < 1:
            raise SettingsError(f"samples S = {self.samples}: want at least 1.")
        if self.between not in (None, *BETWEEN):
            raise SettingsError(f"between = {self.between!r} is unknown: want {' or '.join(BETWEEN)}.")
        self._check_goal()
        if self.segments is not None and (self.between == "linear" or max(self.strides) > 1):
            raise SettingsError("segments take the place of windows: leave out stride, and between='linear'.")
        if self.mask is not None:
            object.__setattr__(self, "mask", checked_mask(self.mask))
        if not 1 <= self.repeat <= MOST_REPEATED:
            raise SettingsError(f"repeat = {self.repeat}: want 1 to {MOST_REPEATED}.")
        if self.measure not in (None, *MEASURES):
            raise SettingsError(f"measure {self.measure!r} is unknown: want {' or '.join(MEASURES)}.")
        if sum(choice is not None for choice in (self.units, self.channels, self.top)) > 1:
            raise SettingsError("units, channels and top were given together: want one of them.")
        for word, choice in (("units", self.units), ("channels", self.channels)):
            if choice is not None and (isinstance(choice, (str, bytes)) or not np.iterable(choice)):
                raise SettingsError(f"{word} = {choice!r}: want a list of them, such as [{choice!r}].")
            if choice is not None:
                object.__setattr__(self, word, tuple(choice))
        if () in (self.units, self.channels):
            raise SettingsError("no unit to explain: want at least one.")

    def _check_goal(self) -> None:
        for name, wanted, most in (("until", "a reliability", 1.0), ("budget", "a number of seconds", np.inf)):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, (int, float, np.number)) or not 0 < value < most:
                raise SettingsError(f"{name} = {value!r}: want {wanted} above 0 and below {most:g}.")
            object.__setattr__(self, name, float(value))
        if self.refines and self.between == "none":
            raise SettingsError("a map that is refined is interpolated between windows: leave out between='none'.")

    @property
    def refines(self) -> bool:
        """Whether it is evaluated in stages, each with a finer grid or more draws than the one before."""
        return self.until is not None or self.budget is not None

    @property
    def strides(self) -> Sides:
        """The steps between windows, one for each axis."""
        return sides(self.stride)

    @property
    def interpolates(self) -> bool:
        """Whether evidence is interpolated between windows: with a step of 1 there is nothing between."""
        return self.between != "none" and max(self.strides) > 1

    @property
    def passes(self) -> int:
        """Over how many passes the untouched image's values are averaged: as many as go into a window's."""
        return 1 if self.repeat == 1 else self.repeat * self.samples

    @property
    def sides(self) -> Sides:
        """The window's, one for each axis, where it is known what it lies on."""
        return sides(self.window)  # type: ignore[arg-type]

    @property
    def asked_window(self) -> int | Sides:
        """The window as samplers and nets of others take it: one number where it is square."""
        return as_asked(self.sides)
