"""The index of a study: one row for each image and target."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ExplanationError
from ..files import open_regular

INDEX = "index.csv"


class Row(NamedTuple):
    """An image and one of its targets; None where a column is empty."""

    file: str | None
    sha256: str | None
    result: str | None
    target: int | None
    targets: int | None
    class_: str | None
    unit: str | None
    probability: float | None
    measure: str | None
    highest: float | None
    highest_row: int | None
    highest_column: int | None
    lowest: float | None
    lowest_row: int | None
    lowest_column: int | None
    stderr: float | None
    reliability: float | None
    seconds: float | None
    notes: str | None
    error: str | None


#: As in the file: Python does not let a field be called class.
COLUMNS = tuple(name.rstrip("_") for name in Row._fields)


def read_index(folder: Path) -> list[Row]:
    """The rows of a study's index.

    Raises
    ------
    ExplanationError
        If the folder is no study, or its index cannot be read.
    """
    path = Path(folder) / INDEX
    try:
        with open_regular(path, ExplanationError) as file:
            lines = list(csv.reader(file.read().decode("utf-8").splitlines(keepends=True)))
    except (FileNotFoundError, NotADirectoryError):
        raise ExplanationError(f"{folder}: no study, since it holds no {INDEX}. Give the folder of one.") from None
    except OSError as error:
        raise ExplanationError(f"{path}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error):
        raise ExplanationError(f"{path}: not the index of a study, but another file.") from None
    if not lines or tuple(lines[0]) != COLUMNS:
        raise ExplanationError(f"{path}: its columns are not those of a study's index. Give the folder of a study.")
    return [_row(line, path) for line in lines[1:]]


def _row(line: list[str], path: Path) -> Row:
    try:
        return Row(**{name: _value(name, text) for name, text in zip(Row._fields, line)})
    except (TypeError, ValueError):
        raise ExplanationError(f"{path}: a row of it is not that of an image and a target.") from None


def _value(name: str, text: str) -> Any:
    kind = Row.__annotations__[name]
    convert = int if "int" in str(kind) else float if "float" in str(kind) else str
    return convert(text) if text else None
