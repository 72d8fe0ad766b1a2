"""Where results go, looked at before any work is done."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Iterable

from ..errors import ExplanationError, SettingsError
from ..ours import refuse
from ..texts import name_of, one_line
from ..written import part_name, target_of

#: The ending of unfinished tiles, whose journal says itself whether they are ours.
TILES = ".tiles"


def default_output(*parts: str, suffix: str) -> Path:
    """Where a result goes that was given no name: below out/, called by its parts."""
    return Path("out") / f"{name_of(*parts)}{suffix}"


def check_outputs(outputs: Iterable[Path], inputs: Iterable[object], *, yielding: bool = False) -> None:
    """Refuse outputs that overwrite an input, each other or what is not ours, or that cannot be written.

    Makes nothing itself.

    Parameters
    ----------
    outputs : paths
    inputs : paths and what stands for none; what is no file there is passed over
    yielding : bool
        Whether other names will be taken where what is not ours stands: that is no error then.

    Raises
    ------
    SettingsError, ExplanationError
    """
    taken = {_real(Path(str(path))): "read and written" for path in inputs if _is_file(path)}
    for path in outputs:
        if _real(path) in taken:
            raise SettingsError(f"{path} would be both {taken[_real(path)]}: give outputs other names.")
        taken[_real(path)] = "one output and another"
        if not (yielding and os.path.isdir(path)):
            _check_place(path)
        if not yielding and path.suffix != TILES:
            refuse(path, ExplanationError)


def _is_file(path: object) -> bool:
    return path is not None and os.path.isfile(str(path))


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _check_place(path: Path) -> None:
    if os.path.isdir(path):
        raise ExplanationError(f"{path}: a folder, want the name of a file.")
    place = target_of(path).absolute()
    folder = place.parent
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    if not os.path.isdir(folder):
        raise ExplanationError(f"{path}: cannot be written, since {folder} is no folder. Choose another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ExplanationError(f"{path}: cannot be written, since {folder} is read-only. Choose another place.")
    part = place.with_name(part_name(place))
    # folders that are not there yet hide from the system what is below them
    if any(map(_is_too_long, [part, *(folder / name for name in part.relative_to(folder).parts)])):
        added = len(part_name(place)) - len(place.name)
        raise ExplanationError(
            f"{one_line(path, 300)}: too long a name, to which {added} letters are added until the file is whole. "
            "Give a shorter one."
        )


def _is_too_long(path: Path) -> bool:
    """Whether the system refuses the path for its length."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False
