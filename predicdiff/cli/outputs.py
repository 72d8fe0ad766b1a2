"""Where results go, looked at before any work is done."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable, Iterable

from ..errors import ExplanationError, SettingsError


def name_of(*parts: str) -> str:
    """A file name made of parts: letters, digits, dots and dashes stay, anything else becomes a dash."""
    return "_".join(re.sub(r"[^\w.-]+", "-", part).strip("-.") or "x" for part in parts)


def default_output(*parts: str, suffix: str) -> Path:
    """Where a result goes that was given no name: below out/, called by its parts."""
    return Path("out") / f"{name_of(*parts)}{suffix}"


def numbered(path: Path, mine: Callable[[Path], bool]) -> Path:
    """The path or, where a file stands that is not ``mine``, the first of path-2, path-3, ... that is free or mine."""
    place, number = path, 1
    while place.exists() and not mine(place):
        number += 1
        place = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return place


def check_outputs(outputs: Iterable[Path], inputs: Iterable[object]) -> None:
    """Refuse outputs that overwrite an input or each other, or that cannot be written; makes nothing itself.

    Parameters
    ----------
    outputs : paths
    inputs : paths and what stands for none; what is no file there is passed over

    Raises
    ------
    SettingsError, ExplanationError
    """
    taken = {_real(Path(str(path))): "read and written" for path in inputs if _is_file(path)}
    for path in outputs:
        if _real(path) in taken:
            raise SettingsError(f"{path} would be both {taken[_real(path)]}: give outputs other names.")
        taken[_real(path)] = "one output and another"
        _check_place(path)


def _is_file(path: object) -> bool:
    return path is not None and Path(str(path)).is_file()


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise ExplanationError(f"{path}: a folder, want the name of a file.")
    folder = path.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise ExplanationError(f"{path}: cannot be written, since {folder} is no folder. Choose another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ExplanationError(f"{path}: cannot be written, since {folder} is read-only. Choose another place.")
