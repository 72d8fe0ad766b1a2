"""What a line of the table of claims says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

#: Sizes for a quick look, for nets that are evaluated fast, and for others.
SMOKE, FAST, SLOW = "smoke", "fast", "slow"
#: Nets that are evaluated fast, by their names in the manifest.
FAST_NETS = ("alexnet", "squeezenet1.1")


@dataclass(frozen=True)
class Size:
    """How much of a claim is measured.

    Attributes
    ----------
    photographs : int
        At most.
    side : int
        Of the square in the middle of what the net sees, in pixels; 0 where it is no matter of windows.
    draws : int
        Of each window, in each half.
    stride : int
        Step between windows.
    """

    photographs: int
    side: int = 64
    draws: int = 2
    stride: int = 1


@dataclass(frozen=True)
class Line:
    """A claim, or the part of one that gets a verdict of its own.

    Attributes
    ----------
    name : str
        The claim's letter, and a number where it has several parts: "a", "c1".
    claim : str
        What the paper says, in our words.
    section : str
        Where it says so.
    statistic : str
        What is measured of each photograph.
    nulls : tuple of str
        What it is held against, by the names that `Finding.nulls` has them by. The effect of a photograph is what the
        statistic is above its null; which of several decides, `verdicts.deciding` says.
    least : float
        The smallest effect that counts, in the statistic's unit.
    sizes : mapping of str to Size
        For `SMOKE`, `FAST` and `SLOW`.
    less : bool
        Whether the claim says that the statistic is below its null; the effect is then what it is below.
    told : bool
        Whether it gets a verdict; False where it is only reported.
    made_of : str
        What stands beside a verdict besides the number of photographs, with the fields of a `Size` in braces.
    """

    name: str
    claim: str
    section: str
    statistic: str
    nulls: tuple[str, ...]
    least: float
    sizes: Mapping[str, Size]
    less: bool = False
    told: bool = True
    made_of: str = ""

    def of(self, size: Size, photographs: int) -> str:
        """As words, how much of it was measured: of so many photographs there was a number."""
        made_of = self.made_of.format(side=size.side, draws=size.draws, stride=size.stride)
        return ", ".join([f"{photographs} of {size.photographs} photographs", *([made_of] if made_of else [])])
