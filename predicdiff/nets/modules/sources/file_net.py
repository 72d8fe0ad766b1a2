"""Nets of modules from users' files, which another process can read where it finds the files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, cast

from ....errors import FormatError
from ....protocols import Net
from ..net import ModuleNet
from .user_files import folder_of, imported_file


class FileNet(ModuleNet):
    """A `ModuleNet` whose module's classes a user's file defines.

    Parameters
    ----------
    home : path
        The file.
    **about
        As for `ModuleNet`.
    """

    def __init__(self, *, home: Path, **about: Any) -> None:
        super().__init__(**about)
        self._home = home

    def _parts(self) -> dict[str, Any]:
        return {"home": self._home, **super()._parts()}

    def __reduce__(self) -> tuple[Any, ...]:
        """A net is pickled with its file's path: there its classes are found."""
        with folder_of(self._home):
            make, parts = super().__reduce__()
            return unpickled, (self._home, imported_file(self._home).__name__, pickle.dumps((make, parts)))


def at_home(net: Net, file: Path) -> Net:
    """A net of a module that was made by a file; another net as it is."""
    if type(net) is not ModuleNet:
        return net
    twin = FileNet.__new__(FileNet)
    vars(twin).update({**vars(net), "_home": file.resolve()})
    return cast(Net, twin)


def unpickled(file: Path, name: str, pickled: bytes) -> Net:
    """The net that a file's module was pickled in, the file imported first.

    Raises
    ------
    FormatError
        If the file is not there, or has changed since.
    """
    with folder_of(file):
        if imported_file(file).__name__ != name:
            raise FormatError(f"{file} has changed since the net was pickled: load the net again.")
        make, parts = pickle.loads(pickled)
        return cast(Net, make(*parts))
