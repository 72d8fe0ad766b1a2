"""The results of a study, one after the other: what cannot be read is named and left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, NamedTuple

from ...errors import ExplanationError, InputWarning, warn
from ...explanation import Explanation
from ...samplers.registry import caption
from ...texts import one_line
from ...validation import MOST_SHOWN
from ..index import Row, read_index


class Image(NamedTuple):
    """An image of a study that has a result.

    Attributes
    ----------
    file : str
        As the index calls it; the result's name for an image that came as an array.
    sha256 : str
        Of the file; "" of an array.
    path : Path
        Of the result.
    """

    file: str
    sha256: str
    path: Path

    @property
    def name(self) -> str:
        """The file's own name, without its folder."""
        return Path(self.file).name

    @property
    def stem(self) -> str:
        """That without its ending."""
        return Path(self.file).stem or self.file


@dataclass
class Results:
    """A study's folder, as its index describes it.

    Attributes
    ----------
    folder : Path
    images : list of Image
        Those that have a result.
    failed : int
        Images that could not be explained when the study was made.
    lost : int
        Results that could not be read; grows while `load` is asked for them.
    """

    folder: Path
    images: list[Image]
    failed: int = 0
    lost: int = field(default=0, init=False)

    def load(self, image: Image) -> Explanation | None:
        """An image's result; None, with a warning that names it, where it is missing or damaged."""
        try:
            return Explanation.load(image.path)
        except ExplanationError as error:
            self.lose(str(error))
            return None

    def lose(self, why: str) -> None:
        """Count a result that is left out, and say which and why."""
        self.lost += 1
        warn(f"{why} Left out.", InputWarning)

    def check_any(self, found: int) -> None:
        """An ExplanationError if none of the images was found to be of use."""
        if not found:
            raise ExplanationError(f"{self.folder}: none of its {len(self.images)} results can be used.")


def open_study(folder: str | Path) -> Results:
    """Read a study's index.

    Raises
    ------
    ExplanationError
        If the folder is no study, or no image in it has a result.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ExplanationError(f"{folder}: no such folder. Give the folder of a study.")
    rows = read_index(folder)
    images = _images(folder, rows)
    # of those that failed more than once, or once before they did not, there are several rows
    failed = len({row.file for row in rows if not row.result} - {image.file for image in images})
    if not images:
        why = f"each of its {failed} images failed" if failed else "there are no images in it"
        raise ExplanationError(f"{folder}: the study says nothing, since {why}.")
    return Results(folder, images, failed)


def _images(folder: Path, rows: Iterable[Row]) -> list[Image]:
    """One for each result, whatever the number of its targets."""
    first: dict[str, Row] = {}
    for row in rows:
        if row.result:
            first.setdefault(row.result, row)
    return [Image(row.file or name, row.sha256, folder / name) for name, row in first.items()]


def made_by(explanation: Explanation) -> str:
    """The net and what drew, such as "googlenet, conditional"; "" where neither is known."""
    net, sampler = (explanation.provenance.get(name) for name in ("net", "sampler"))
    name = net.get("name") if isinstance(net, dict) else None
    kind = sampler.get("kind") if isinstance(sampler, dict) else None
    parts = [one_line(name, MOST_SHOWN)] if name else []
    return ", ".join([*parts, caption(one_line(kind, MOST_SHOWN))] if kind else parts)


def named(folder: Path, made: str) -> str:
    """A study's folder, and what it was made by where that is known."""
    return f"{folder} ({made})" if made else str(folder)
