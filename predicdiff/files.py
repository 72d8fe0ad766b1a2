"""What may be read as a file, and HDF5 files of arrays and JSON with a SHA-256 of themselves at their end.

The HDF5 library hangs, or crashes, on many a damaged file, so the hash is checked before the library sees one. HDF5
ignores bytes behind its own content, so that any HDF5 program reads these files. The hash tells damage, and not
tampering: who changes a file on purpose can hash it anew.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import sys
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, NamedTuple, TypeVar, Union

import numpy as np

from . import budget
from .datasets import plain_values
from .errors import FormatError, PredicdiffError, SettingsError
from .name_trees import check_name_trees
from .ours import SEAL
from .texts import one_line
from .validation import dumped, parsed
from .written import written_whole

T = TypeVar("T")
PathLike = Union[str, "os.PathLike[str]"]
#: What stands where a file is wanted, by what `stat` says of it. To open or read one may wait for ever, or end never.
NO_FILES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
#: Says to the system that opening must not wait.
AT_ONCE = 0 if sys.platform == "win32" else os.O_NONBLOCK


class Kind(NamedTuple):
    """A kind of files, in words for errors of the type ``error``; ``command`` says what makes one at ``{path}``."""

    noun: str
    version: int
    command: str
    error: type[PredicdiffError]


def as_path(path: Any, what: str) -> Path:
    """A path from a text or another path; a SettingsError, which calls it ``what``, if it is neither, or no name."""
    if not isinstance(path, (str, os.PathLike)) or not str(path) or "\0" in str(path):
        raise SettingsError(f"{what} is {path!r}: want the path of a file.")
    return Path(path)


def regular(path: PathLike, error: type[PredicdiffError], advice: str = "") -> None:
    """Refuse what is no file: a folder, a pipe, a device or a socket, none of which is opened for that.

    Where nothing lies, or nothing that may be looked at, this is silent: whoever opens it says so in words of its own.

    Parameters
    ----------
    path : path
        Links are followed.
    error : type
        Of the error.
    advice : str
        A sentence behind the message: what to do.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # the latter of a name that no file can have
        return
    _refuse_no_file(path, mode, error, advice)


def open_regular(path: PathLike, error: type[PredicdiffError], advice: str = "") -> io.BufferedReader:
    """A file opened for reading, which is one still when it is open; else errors as of `regular` and of `open`."""
    regular(path, error, advice)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | AT_ONCE))  # noqa: SIM115
    try:
        _refuse_no_file(path, os.fstat(file.fileno()).st_mode, error, advice)
    except PredicdiffError:
        file.close()
        raise
    return file


def _refuse_no_file(path: PathLike, mode: int, error: type[PredicdiffError], advice: str) -> None:
    what = NO_FILES.get(stat.S_IFMT(mode))
    if what is not None:
        raise error(f"{path}: {what}, want the path of a file.{advice and ' ' + advice}")


def write(
    path: Path,
    kind: Kind,
    arrays: Mapping[str, np.ndarray],
    texts: Mapping[str, Any],
    check: Callable[[dict[str, Any]], object] | None = None,
) -> None:
    """Write what `content_of` makes; an error of the kind's if it cannot be (read-only, disk full)."""
    content = content_of(path, kind, arrays, texts, check)
    with written_whole(path, error=kind.error) as part:
        part.write_bytes(content)


def content_of(
    path: Path,
    kind: Kind,
    arrays: Mapping[str, np.ndarray],
    texts: Mapping[str, Any],
    check: Callable[[dict[str, Any]], object] | None = None,
) -> bytes:
    """A file of arrays, and of what JSON can hold, by name, as its bytes; ``path`` is what errors call it.

    It is an error of the kind's where `read` would refuse the file: ``check`` raises a FormatError of parts that are
    not taken then.
    """
    import h5py

    try:
        told = {name: dumped(name, value) for name, value in texts.items()}
        if check is not None:
            check({**arrays, **{name: parsed(text) for name, text in told.items()}})
    except FormatError as error:
        raise kind.error(f"{path}: not written, since it could not be read again: {error}") from None
    taken = sum(np.asarray(values).nbytes for values in arrays.values())
    budget.ask(taken, f"{path}: what is to be written", kind.error)  # which `read` would refuse
    # made in memory: when the disk is full, HDF5 prints pages of its own and may take the process down
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["format"], file.attrs["version"] = f"predicdiff {kind.noun}", kind.version
        for name, values in arrays.items():
            file.create_dataset(name, data=values, compression="gzip", shuffle=True)
        for name, text in told.items():
            file.create_dataset(name, data=text, dtype=h5py.string_dtype())
    seal = _seal(content.getbuffer())
    content.seek(0, os.SEEK_END)
    content.write(seal)
    return content.getvalue()


def read(path: Path, kind: Kind, make: Callable[[dict[str, Any]], T]) -> T:
    """What ``make`` makes of all that `write` wrote, by name; an error of the kind's if the file is not as it was."""
    return read_any(path, kind, {kind: make})


def read_any(path: Path, family: Kind, makers: Mapping[Kind, Callable[[dict[str, Any]], T]]) -> T:
    """As `read`, of the one of several kinds that the file says it holds; ``family`` names them all in errors."""
    import h5py

    kind = family
    try:
        content = _unsealed(path, family)
        check_name_trees(content)
        with h5py.File(io.BytesIO(content), "r") as file:
            kind = _kind_of(file, path, family, makers)
            parts = {name: _plain(value) for name, value in plain_values(file, content)}
        return _made(makers[kind], parts)
    except FormatError as error:
        raise kind.error(f"{path}: {error}") from None
    except PredicdiffError:
        raise
    except FileNotFoundError:
        raise kind.error(f"{path}: no such file. Make one with `{kind.command.format(path=path)}`.") from None
    except OSError as error:
        raise kind.error(f"{path}: cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # h5py raises many kinds for files that are put together otherwise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise kind.error(f"{path}: {kind.noun} without all its parts ({reason}).") from error


def _made(make: Callable[[dict[str, Any]], T], parts: dict[str, Any]) -> T:
    """What is made of the parts; what is wrong with these is told as of a file's."""
    try:
        return make(parts)
    except PredicdiffError as error:
        raise FormatError(str(error)) from error


def _kind_of(file: Any, path: Path, family: Kind, kinds: Iterable[Kind]) -> Kind:
    """The one of ``kinds`` that an open file is of."""
    said = _attribute(file, "format")
    kind = next((kind for kind in kinds if said == f"predicdiff {kind.noun}"), None)
    if kind is None:
        raise family.error(f"{path}: not a whole {family.noun}, but another file of predicdiff's.")
    version = _attribute(file, "version")
    if not isinstance(version, (int, np.integer)):  # of a text, `int` may take for ever
        raise FormatError(f"its version is {one_line(version, 60)}, want a whole number.")
    if version > kind.version:
        raise kind.error(f"{path}: written by a newer predicdiff. Install that to read it.")
    return kind


def _attribute(file: Any, name: str) -> Any:
    """One text or whole number; None of an attribute that is anything else, such as a reference, which is not read."""
    import h5py

    if name not in file.attrs:
        return None
    held = file.attrs.get_id(name)
    one = held.shape == () and (held.dtype.kind in "iu" or h5py.check_string_dtype(held.dtype) is not None)
    return file.attrs[name] if one else None


def _plain(value: Any) -> Any:
    """An array as it is, and of a text what it holds as JSON."""
    return value if isinstance(value, np.ndarray) else parsed(value)


def _seal(content: bytes | memoryview) -> bytes:
    return SEAL + hashlib.sha256(content).digest()


def _unsealed(path: Path, kind: Kind) -> bytes:
    """The content of a file whose seal is whole."""
    length = len(_seal(b""))
    with open_regular(path, kind.error) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - length))
        ours = file.read(len(SEAL)) == SEAL
        file.seek(0)
        if ours:  # a foreign file may be larger than memory, and so may one of ours
            budget.ask(size, f"{path}: the file itself", kind.error)
        content = file.read(size - length) if ours else b""
        if not ours or _seal(content) != file.read():
            raise kind.error(f"{path}: not a whole {kind.noun}. predicdiff did not write it, or it was cut or changed.")
    return content
