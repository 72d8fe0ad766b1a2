"""The index of a study: a table with a row for each image and target, to which rows are only ever added."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple

import numpy as np

from ..errors import ExplanationError
from ..explanation import Explanation, extent
from ..extras import absent, imported
from ..files import open_regular
from ..texts import one_line
from ..written import written_whole

INDEX, TABLE = "index.csv", "index.parquet"
#: Between notes, in one field.
BETWEEN = " | "
#: Letters of a field: what files say has no end.
MOST = 4000


class Row(NamedTuple):
    """One target of an image, or an image that failed.

    Attributes
    ----------
    file, sha256 : str
        The image's path as it was given or found, and the SHA-256 of what it holds.
    result : str
        The name of the explanation beside the index; empty where the image failed.
    target, targets : int or None
        The target's number in it, from 0, and how many there are.
    class_, unit : str
        What the target is called, and its index in the blob, numbers with spaces between.
    probability : float or None
        The target's value for the untouched image.
    measure : str
        "bits" or "activation".
    highest, lowest : float or None
        The map's largest and smallest relevance, and the rows and columns of these pixels in what the net sees.
    stderr : float or None
        The median of its standard error.
    reliability, seconds : float or None
        As the explanation has them.
    notes : str
        What a reader should know, with `BETWEEN` between.
    error : str
        Why the image failed.
    """

    file: str
    sha256: str = ""
    result: str = ""
    target: int | None = None
    targets: int | None = None
    class_: str = ""
    unit: str = ""
    probability: float | None = None
    measure: str = ""
    highest: float | None = None
    highest_row: int | None = None
    highest_column: int | None = None
    lowest: float | None = None
    lowest_row: int | None = None
    lowest_column: int | None = None
    stderr: float | None = None
    reliability: float | None = None
    seconds: float | None = None
    notes: str = ""
    error: str = ""


#: The columns' names, and those that hold whole numbers and numbers.
COLUMNS = tuple(name.rstrip("_") for name in Row._fields)
WHOLE = ("target", "targets", "highest_row", "highest_column", "lowest_row", "lowest_column")
NUMBERS = ("probability", "highest", "lowest", "stderr", "reliability", "seconds")


def rows_of(explanation: Explanation, *, file: str, sha256: str, result: str = "") -> list[Row]:
    """The rows of an explanation that lies in ``result``."""
    rows = []
    for number, target in enumerate(explanation.targets):
        relevance = explanation.relevance[number]
        low, high = extent(relevance)
        (low_row, low_column), (high_row, high_column) = _place(relevance, low), _place(relevance, high)
        reliability = explanation.reliability
        rows.append(
            Row(
                file=file, sha256=sha256, result=result, target=number, targets=len(explanation),
                class_=one_line(target.title, MOST), unit=" ".join(map(str, target.unit)),
                probability=float(explanation.base[number]), measure=explanation.unit,
                highest=_known(high), highest_row=high_row, highest_column=high_column,
                lowest=_known(low), lowest_row=low_row, lowest_column=low_column,
                stderr=_median(explanation.stderr[number]),
                reliability=None if reliability is None else _known(reliability[number]),
                seconds=explanation.provenance.get("seconds"),
                notes=noted(explanation.notes),
            )
        )  # fmt: skip
    return rows


def _place(relevance: np.ndarray, value: float) -> tuple[int | None, int | None]:
    if np.isnan(value):
        return None, None
    row, column = np.unravel_index(int(np.argmax(relevance == value)), relevance.shape)
    return int(row), int(column)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _median(stderr: np.ndarray) -> float | None:
    known = stderr[~np.isnan(stderr)]
    return float(np.median(known)) if known.size else None


def read_index(folder: Path) -> list[Row]:
    """All rows of a study's index; what a kill has left of a last one is left out.

    Raises
    ------
    ExplanationError
        If there is none, or it has other columns.
    """
    return _rows(folder / INDEX, _content(folder / INDEX))


def _content(path: Path) -> bytes:
    try:
        with open_regular(path, ExplanationError) as file:
            return file.read()
    except FileNotFoundError:
        raise ExplanationError(
            f"{path}: no such file. Want the folder of a study, as `predicdiff explain PHOTOS -o study/` makes one; "
            "the same command makes an index anew that is gone."
        ) from None
    except OSError as error:
        raise ExplanationError(f"{path}: cannot be read ({error.strerror}).") from error


def _rows(path: Path, content: bytes) -> list[Row]:
    text = _uncut(content).decode("utf-8", "surrogateescape")
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, None)
        if header != list(COLUMNS):
            raise ExplanationError(
                f"{path}: the index of a study has the columns {', '.join(COLUMNS[:3])}, ... {COLUMNS[-1]}, with "
                "commas between, and this one has others. Move it away: the same command makes it anew of the results."
            )
        return [_row(path, lines.line_num, line) for line in lines if line]
    except csv.Error as error:
        raise ExplanationError(f"{path}: line {lines.line_num} is damaged ({error}). Move it away.") from error


def _uncut(content: bytes) -> bytes:
    """The index without what a kill has left of its last row, and without the mark that some programs begin it with.

    Names of files may hold line breaks: rows end as the header does, which another program may have changed.
    """
    content = content[len(codecs.BOM_UTF8) :] if content.startswith(codecs.BOM_UTF8) else content
    header = content.partition(b"\n")[0]
    end = b"\r\n" if header.endswith(b"\r") else b"\n"
    return content[: content.rfind(end) + len(end)] if end in content else b""


def _row(path: Path, number: int, line: list[str]) -> Row:
    try:
        values: dict[str, Any] = dict(zip(Row._fields, line))
        for name in WHOLE:
            values[name] = int(values[name]) if values[name] else None
        for name in NUMBERS:
            values[name] = float(values[name]) if values[name] else None
        if len(line) != len(COLUMNS) or Path(values["result"]).name != values["result"]:
            raise ValueError
        return Row(**values)
    except (ValueError, KeyError):
        raise ExplanationError(
            f"{path}: line {number} is no row of a study's index. Mend it, or move it away."
        ) from None


def as_csv(rows: Iterable[Row], *, header: bool = False) -> bytes:
    """Rows as they stand in the file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if header:
        writer.writerow(COLUMNS)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _field(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


class Index:
    """The index of a study that is being written, by one process alone.

    Attributes
    ----------
    finished : dict
        By a finished image's file the SHA-256 of what it held, and the name of its result.
    """

    def __init__(self, folder: Path, lost: Callable[[], list[Row]] = list) -> None:
        #: What gives the rows of an index that is not there, by the results that are.
        self._path, self._lost = folder / INDEX, lost
        self.finished: dict[str, tuple[str, str]] = {}
        #: Whether there are rows of files that have others now.
        self._outdated = False

    def take_up(self, is_kept: Callable[[Row], bool]) -> None:
        """Read what is there, and keep the rows of which ``is_kept`` says so; those of failed images come again."""
        self._keep(*self._found(is_kept))

    def look(self, is_kept: Callable[[Row], bool]) -> None:
        """The same, and leave the file as it is."""
        rows, _ = self._found(is_kept)
        self.finished = _finished(rows)

    def _found(self, is_kept: Callable[[Row], bool]) -> tuple[list[Row], bytes]:
        """The rows that are kept, and what the file holds."""
        if not os.path.lexists(self._path):
            return whole_images(self._lost()), b""
        content = _content(self._path)
        begun = as_csv([], header=True).startswith(content)
        there = [] if begun else _rows(self._path, content)
        return [row for row in whole_images(there) if is_kept(row)], content

    def forget(self, files: set[str]) -> None:
        """Take the rows of files out."""
        content = _content(self._path)
        self._keep([row for row in _rows(self._path, content) if row.file not in files], content)

    def tidy(self) -> None:
        """Take out the rows of files that have changed since, and have others now."""
        if self._outdated:
            content = _content(self._path)
            rows = _rows(self._path, content)
            current = set(whole_images(rows))
            self._keep([row for row in rows if row.error or row in current], content)

    def _keep(self, rows: list[Row], content: bytes) -> None:
        """Have these rows alone, where the file holds ``content``."""
        wanted = as_csv(rows, header=True)
        if wanted != content:
            replaced(self._path, wanted)
        self.finished = _finished(rows)
        self._outdated = False

    def add(self, rows: list[Row]) -> None:
        """Write an image's rows behind the others, on the disk."""
        try:
            with open(self._path, "ab") as file:
                file.write(as_csv(rows))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ExplanationError(
                f"{self._path}: cannot be written ({error.strerror}). Make room; the same command goes on from there."
            ) from error
        for row in rows:
            if not row.error:
                self._outdated |= self.finished.get(row.file, (row.sha256,))[0] != row.sha256
                self.finished[row.file] = row.sha256, row.result


def _finished(rows: list[Row]) -> dict[str, tuple[str, str]]:
    return {row.file: (row.sha256, row.result) for row in rows if not row.error}


def replaced(path: Path, content: bytes) -> None:
    """Put a table in the place of the one that is there, which has no mark of ours: the study is locked and swept."""
    with written_whole(path, swept=True, known=True) as part:
        part.write_bytes(content)


def noted(notes: Iterable[str]) -> str:
    """Notes as one field."""
    return one_line(BETWEEN.join(filter(None, notes)), MOST)


def whole_images(rows: list[Row]) -> list[Row]:
    """Rows of images of which there is one for each target; of two for the same file and target the last."""
    last = {(row.file, row.sha256, row.target): row for row in rows if not row.error}
    found = Counter((row.file, row.sha256) for row in last.values())
    whole = [row for row in last.values() if found[row.file, row.sha256] == row.targets]
    held = {row.file: row.sha256 for row in whole}  # a file that has changed has rows of what it held before
    return [row for row in whole if row.sha256 == held[row.file]]


def as_parquet(rows: list[Row]) -> bytes | None:
    """Rows as a Parquet file; None where pyarrow is not installed."""
    if absent("pyarrow"):
        return None
    arrow, parquet = imported("pyarrow", "parquet"), imported("pyarrow.parquet", "parquet")
    kinds = {**dict.fromkeys(WHOLE, arrow.int64()), **dict.fromkeys(NUMBERS, arrow.float64())}
    shape = arrow.schema([(column, kinds.get(column, arrow.string())) for column in COLUMNS])
    columns = {column: list(map(_plain, values)) for column, values in zip(COLUMNS, zip(*rows))}
    content = io.BytesIO()
    parquet.write_table(arrow.table(columns or {column: [] for column in COLUMNS}, schema=shape), content)
    return content.getvalue()


def _plain(value: Any) -> Any:
    """Text without halves of letters, which names of files may have and Parquet has no place for."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
