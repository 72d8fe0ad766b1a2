"""The page of a study: a table of its images, with a thumbnail of each map."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..explanation import Explanation, finite
from ..files import PathLike, as_path
from ..images import enlarge
from ..ours import hashed
from ..overlays import overlay, picture
from ..palettes import DEFAULT, find_colour_map
from ..studies.folder import settings_of
from ..studies.index import Row, read_index
from ..studies.overview.results import open_study
from ..texts import one_line
from ..written import written_whole
from .document import as_png, as_uri, document
from .facts import tables_of
from .maps import Look, save_page

#: Maps, beyond which thumbnails lie beside the page; the longer side of one, in pixels, and its colours.
MOST_INSIDE, SIDE, COLOURS = 200, 112, 128
#: Letters of a text in the table.
MOST = 400
#: Fields of a row that the page shows as they are.
TEXTS = ("file", "unit", "measure", "notes", "error")
NUMBERS = (
    "probability", "highest", "highest_row", "highest_column", "lowest", "lowest_row", "lowest_column", "stderr",
    "reliability", "seconds",
)  # fmt: skip
#: Where pictures may come from that lie beside the page, which is opened from a disk or by a server.
BESIDE = ("data:", "'self'", "file:")


class Written(NamedTuple):
    """What was written: the page's bytes, and how many files beside it."""

    size: int
    beside: int


def save_report(
    folder: PathLike,
    path: PathLike,
    *,
    pages: bool = False,
    cmap: str = DEFAULT,
    inside: int = MOST_INSIDE,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write the page of a study.

    Parameters
    ----------
    folder : path
        The study's.
    path : path
        The page's. Of more than ``inside`` maps thumbnails lie beside it, in a folder of its name and ``_files``.
    pages : bool
        Write a page of each result too, into that folder.
    cmap : str
        A name of `palettes.COLOUR_MAPS`.
    inside : int
        Maps whose thumbnails the page holds itself, at most.
    progress : callable, optional
        Is told how many results are done, and of how many.

    Raises
    ------
    ExplanationError
        If the folder is no study's, a file cannot be written, or what stands there is not ours.
    SettingsError
        If the colour map is unknown.

    Warns
    -----
    InputWarning
        Of results that cannot be read; the page has their rows, without maps.
    """
    report = _Report(as_path(folder, "the study's folder"), as_path(path, "the page's file"), pages, cmap)
    report.lies_beside = len(report.rows) > inside
    content = report.page(progress or (lambda done, total: None))
    with written_whole(report.path) as part:
        part.write_bytes(content)
    return Written(len(content), report.beside)


class _Report:
    """A page that is being made."""

    def __init__(self, folder: Path, path: Path, pages: bool, cmap: str) -> None:
        find_colour_map(cmap)
        self.folder, self.path, self.pages, self.cmap = folder, path, pages, cmap
        self.results = open_study(folder)
        self.images = {image.path.name: image for image in self.results.images}
        self.rows = _latest(read_index(folder))
        self.settings = settings_of(folder) or {}
        self.lies_beside = False
        self.beside = 0

    def page(self, progress: Callable[[int, int], None]) -> bytes:
        """The page's bytes; writes what lies beside it."""
        rows = list(self._told(progress))
        told = self.settings.get("settings")
        name = one_line(self.folder.resolve().name, MOST)
        data = {
            "rows": rows,
            "classes": sorted({row["class"] for row in rows if row["class"]}),
            "words": self._words(),
            "facts": [table._asdict() for table in tables_of(told if isinstance(told, dict) else {}, self.settings)],
        }
        return document("study", f"Study {name}", data, pictures=BESIDE)

    def _words(self) -> str:
        images, failed = len({row.file for row in self.rows}), sum(1 for row in self.rows if row.error)
        colours = find_colour_map(self.cmap)
        could_not = f", of which {failed} could not be explained" if failed else ""
        measures = sorted({row.measure for row in self.rows if row.measure})
        return (
            f"{images} image{'s' * (images != 1)}{could_not}. In the small maps {colours.positive} speaks for the "
            f"class and {colours.negative} against it, each on a scale of its own; choose one to see it larger, or a "
            "heading to sort by it."
            + (f" Relevance is in {one_line(measures[0], MOST)}." if len(measures) == 1 else "")
        )

    def _told(self, progress: Callable[[int, int], None]) -> Iterator[dict[str, Any]]:
        """All rows as the page holds them; of a result the rows stand together, so that it is read once."""
        last, explanation = "", None
        for number, row in enumerate(self.rows):
            if row.result != last:
                last, image = row.result, self.images.get(row.result)
                explanation = None if image is None else self.results.load(image)
                if self.pages and explanation is not None:
                    self._write_page(row.result, explanation)
            yield self._row(row, explanation)
            progress(number + 1, len(self.rows))

    def _row(self, row: Row, explanation: Explanation | None) -> dict[str, Any]:
        told: dict[str, Any] = {name: one_line(getattr(row, name), MOST) for name in TEXTS}
        told.update({name: _finite(getattr(row, name)) for name in NUMBERS})
        told["class"] = one_line(row.class_, MOST)
        if explanation is not None and row.target is not None and row.target < len(explanation):
            result = self.folder / row.result
            told["thumbnail"] = self._thumbnail(row, explanation.pick(row.target))
            told["picture"] = self._address(result.with_suffix(".png"))
            words = ("predicdiff", "show", shlex.quote(str(result)), "--html", shlex.quote(f"{result.stem}.html"))
            told["command"] = one_line(" ".join(words), MOST)
            told["page"] = self._address(self._files / f"{result.stem}.html") if self.pages else None
        return told

    def _thumbnail(self, row: Row, one: Explanation) -> str:
        """The address of a small picture, which the page holds or which is written beside it."""
        png = thumbnail(one, self.cmap)
        if not self.lies_beside:
            return as_uri(png)
        path = self._files / f"{Path(row.result).stem}-{row.target}.png"
        self._write(path, hashed(png, "png"))
        return self._address(path)

    @property
    def _files(self) -> Path:
        return self.path.with_name(f"{self.path.stem}_files")

    def _write(self, path: Path, content: bytes) -> None:
        with written_whole(path) as part:
            part.write_bytes(content)
        self.beside += 1

    def _write_page(self, result: str, explanation: Explanation) -> None:
        path = self._files / f"{Path(result).stem}.html"
        save_page([(Path(result).stem, explanation)], path, look=Look(cmap=self.cmap))
        self.beside += 1

    def _address(self, path: Path) -> str:
        """How the page calls a file: from its own folder where there is a way, so that both may be moved together."""
        try:
            way = Path(os.path.relpath(path, self.path.parent)).as_posix()
        except ValueError:  # another drive
            return path.resolve().as_uri()
        return "./" + quote(os.fsencode(way))


def _latest(rows: list[Row]) -> list[Row]:
    """Rows without those of earlier tries: of an image that failed once, and was explained or failed again."""
    explained = {row.file for row in rows if row.result}
    last = {(row.file, row.result, row.target): row for row in rows if row.result or row.file not in explained}
    return list(last.values())


def thumbnail(one: Explanation, cmap: str = DEFAULT) -> bytes:
    """The first target's map over its picture, small, as a PNG."""
    ground = picture(one.pixels, tones=one.tones)
    colours = overlay(enlarge(finite(one.relevance), ground.shape[:2])[0], ground, cmap=cmap)
    image = Image.fromarray(colours)
    image.thumbnail((SIDE, SIDE))
    return as_png(image.quantize(COLOURS))


def _finite(value: float | None) -> float | None:
    """A number as JSON has it."""
    return value if value is not None and np.isfinite(value) else None
