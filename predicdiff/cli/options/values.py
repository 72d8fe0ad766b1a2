"""Types of the values that options take."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from ...errors import SettingsError
from ...overlays import OWN, SHARED, Scale, is_scale
from ...samplers.registry import names
from ...windows import ALL
from ...workers.choice import AUTO, checked_count
from ...workers.choice import MOST as MOST_WORKERS
from .base import Value

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
SECONDS = {"s": 1, "min": 60, "h": 3600}
#: Beyond any amount of bytes or of seconds.
MOST = 1e18
FIGURES = (".png", ".pdf", ".svg")
PAGES = (".html", ".htm")
RESULTS = (".h5", ".hdf5")


class Memory(Value):
    """An amount of memory such as 512MB, 4GB or 2GiB, in bytes."""

    name = metavar = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Text -> bytes."""
        match = re.match(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([kmgt]i?)?b?\s*$", str(value), re.IGNORECASE)
        size = 0.0 if match is None else float(match.group(1)) * UNITS[(match.group(2) or "").lower()]
        if not 0 < size < MOST:
            self.fail(f"{value!r} is no amount of memory: want for example 512MB, 4GB or 2GiB.", param, ctx)
        return max(1, int(size))


class Duration(Value):
    """A time such as 60s, 5min or 1.5h, in seconds."""

    name = metavar = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Text -> seconds."""
        match = re.match(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(s|min|h)?\s*$", str(value), re.IGNORECASE)
        seconds = 0.0 if match is None else float(match.group(1)) * SECONDS[(match.group(2) or "s").lower()]
        if not 0 < seconds < MOST:
            self.fail(f"{value!r} is no time: want for example 60s, 5min or 1h.", param, ctx)
        return seconds


class Numbers(Value):
    """Whole numbers with commas between; ``counts`` says how many there may be, a lone one is given as an int.

    A ``word`` may stand in the place of one of several.
    """

    def __init__(self, name: str, counts: tuple[int, ...], example: str, *, word: str | None = None) -> None:
        self.name = self.metavar = name
        self.counts, self.example, self.word = counts, example, word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Text -> int or tuple of int, the word left in it."""
        if not isinstance(value, str):
            return value
        try:
            numbers = tuple(part if part == self.word else int(part) for part in re.split("[,x]", value))
        except ValueError:
            numbers = ()
        if len(numbers) not in self.counts or numbers == (self.word,):
            self.fail(f"{value!r}: want {self.example}.", param, ctx)
        return numbers[0] if len(numbers) == 1 else numbers


class UnitName(Value):
    """Numbers, or the name of a class, which is any text with other signs than numbers have."""

    def __init__(self, numbers: Numbers) -> None:
        self.name = self.metavar = numbers.metavar
        self.numbers = numbers

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str | tuple[int, ...]:
        """Text -> int, tuple of int, or the name."""
        if isinstance(value, str) and re.search(r"[^-\d.,x\s]", value):
            return value
        return self.numbers.convert(value, param, ctx)


class Pick(Value):
    """A number, or any other text as it is."""

    name = metavar = "KEY|INDEX"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Text -> int or str."""
        return int(value) if re.fullmatch(r"-?\d+", str(value)) else str(value)


class Text(Value):
    """Any text that is not empty; an empty one, as of a shell's variable that was never set, is no choice."""

    name = metavar = "TEXT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Text -> the same text."""
        if not str(value).strip():
            self.fail("an empty text: leave it out, or say what is meant.", param, ctx)
        return str(value)


class File(Value):
    """A path; with ``suffixes``, one that ends in one of them."""

    def __init__(self, name: str = "FILE", suffixes: tuple[str, ...] = ()) -> None:
        self.name = self.metavar = name
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Text -> path."""
        if not str(value):
            self.fail("an empty name: want that of a file or folder.", param, ctx)
        if "\0" in str(value):
            self.fail("a name with a zero byte, which no file can have.", param, ctx)
        path = Path(value)
        if self.suffixes and path.suffix.lower() not in self.suffixes:
            self.fail(f"{value}: want a name that ends in {_listed(self.suffixes)}.", param, ctx)
        return path


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]])


class Result(File):
    """A path of a result, or of the folder for those of several images: one that is there, or a name without ending."""

    def __init__(self) -> None:
        super().__init__("FILE.h5|DIR", RESULTS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Text -> path; that of a folder has no ending of a result."""
        path = FOLDER.convert(value, param, ctx)
        separators = tuple(filter(None, (os.sep, os.altsep)))
        if str(value).endswith(separators) or path.is_dir() or path.suffix.lower() in {"", *RESULTS}:
            return path
        self.fail(
            f"{value}: want a name that ends in {_listed(self.suffixes)}, or of a folder for the results of several "
            f"images one that ends in {os.sep}, such as {value}{os.sep}.",
            param,
            ctx,
        )


class WorkerCount(Value):
    """A number of processes, or "auto"."""

    name = metavar = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Text -> int, or "auto"."""
        if value == AUTO:
            return AUTO
        try:
            return checked_count(int(value))
        except (ValueError, SettingsError):
            self.fail(f"{value!r}: want a number of processes from 1 to {MOST_WORKERS}, or {AUTO}.", param, ctx)


class ScaleValue(Value):
    """A way to find the magnitude of the full colour, or that magnitude."""

    name = metavar = f"{OWN}|{SHARED}|NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Scale:
        """Text -> the same word, or float."""
        try:
            scale: Scale = str(value) if value in (OWN, SHARED) else float(value)
        except ValueError:
            scale = ""
        if not is_scale(scale):
            self.fail(f"{value!r}: want {OWN}, {SHARED}, or a number above 0 such as 2.5.", param, ctx)
        return scale


class SamplerName(Value):
    """A kind of sampler, or the file of a fitted one."""

    name = metavar = "|".join((*names(), "FILE.h5"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Text -> the same text."""
        text = str(value)
        if text not in names() and Path(text).suffix.lower() not in RESULTS and not Path(text).is_file():
            self.fail(f"{text!r} is unknown: want {', '.join(names())} or FILE.h5.", param, ctx)
        return text


class Range(Value):
    """Two numbers with a comma between, the first below the second."""

    name = metavar = "LOW,HIGH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Text -> (low, high)."""
        if isinstance(value, tuple):
            return value
        try:
            low, high = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r}: want two numbers, of black and of white, such as -1000,400.", param, ctx)
        return (low, high)


class Deviations(Value):
    """Numbers above 0 with commas between, one for each channel, or one for all."""

    name = metavar = "R,G,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Text -> numbers."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or not all(0 < number < float("inf") for number in numbers):
            self.fail(f"{value!r}: want numbers above 0, such as 0.229,0.224,0.225, or one for all.", param, ctx)
        return numbers


MEMORY = Memory()
DEVIATIONS = Deviations()
DURATION = Duration()
RANGE = Range()
SAMPLER = SamplerName()
SCALE = ScaleValue()
PICK = Pick()
TEXT = Text()
FILE = File()
FOLDER = File("DIR")
UNIT = UnitName(
    Numbers("UNIT", (1, 2, 3), "an index such as 281, channel,row,column such as 3,10,12, or a class's name")
)
CLASS = UnitName(Numbers("CLASS", (1,), "an index such as 281, or a class's name"))
PLACE = Numbers("ROW,COLUMN", (2,), "row,column of the window's top-left pixel, such as 60,100")
SHAPE = Numbers("C,H,W", (3,), "three numbers such as 3,224,224")
SIZE = Numbers("SIZE", (1, 2), "one number of pixels such as 256, or HEIGHTxWIDTH")
WINDOW = Numbers(
    "SIZE", (1, 2), "one number of pixels such as 10, or HEIGHTxWIDTH such as 6x10, 8xall or allx8", word=ALL
)
REGION = Numbers("ROW,COLUMN,HEIGHT,WIDTH", (4,), "row, column, height and width such as 40,60,100,80")
STEP = Numbers("STEP", (1, 2), "one number of pixels such as 2, or ROWSxCOLUMNS such as 4x2")
WORKERS = WorkerCount()
FIGURE = File("FILE.png|pdf|svg", FIGURES)
PAGE = File("FILE.html", PAGES)
RESULT = File("FILE.h5", RESULTS)
RESULT_OR_FOLDER = Result()
