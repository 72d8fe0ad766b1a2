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
    file : str
        What it is called as a module, with a hash of what it said.
    **about
        As for `ModuleNet`.
    """

    def __init__(self, *, home: Path, file: str, **about: Any) -> None:
        super().__init__(**about)
        self._home, self._file = home, file

    def _parts(self) -> dict[str, Any]:
        return {"home": self._home, "file": self._file, **super()._parts()}

    def _definition(self) -> str:
        """The module's, and the file's, since its representation does not say what its classes do."""
        return f"{super()._definition()} {self._file}"

    def __reduce__(self) -> tuple[Any, ...]:
        """A net is pickled with its file's path: there its classes are found."""
        with folder_of(self._home):
            make, parts = super().__reduce__()
            return unpickled, (self._home, self._file, pickle.dumps((make, parts)))


def at_home(net: Net, home: Path, file: str) -> Net:
    """A net of a module that was made by the file ``home``, called ``file`` as a module; another net as it is."""
    if type(net) is not ModuleNet:
        return net
    twin = FileNet.__new__(FileNet)
    vars(twin).update({**vars(net), "_home": home.resolve(), "_file": file})
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
