"""Python files of users: imported by their paths, beside others of the same name, with what lies in their folders."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ....errors import FormatError, first_line
from ....files import regular

#: What was imported from each folder, by its name.
_beside: dict[Path, dict[str, ModuleType]] = {}
#: Held while ``sys.path`` has a user's folder in it.
_turn = threading.RLock()


def imported_file(path: Path) -> ModuleType:
    """A Python file as a module, imported once; its name ends in a hash of what it says, so that another has another.

    Raises
    ------
    FormatError
        If it cannot be read, or ends in an error.
    """
    name = _name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FormatError(f"{path}: cannot be imported: want a Python file, PATH.py:FUNCTION.")
    with folder_of(path) as known:
        if name in known:
            return known[name]
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # some of what a file may define looks for itself there
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:  # whatever a user's file does
            del sys.modules[name]
            raise FormatError(f"{path} ends in an error when it is imported: {said_of(error, path.parent)}") from error
        return module


def defined(module: ModuleType) -> list[str]:
    """Names of the functions and classes that a file defines itself, but for those that begin with an underscore."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]


@contextmanager
def folder_of(path: Path) -> Iterator[dict[str, ModuleType]]:
    """What lies beside a file can be imported, as where Python runs it, and is found before other files' neighbours.

    What was imported of it already is handed on.
    """
    folder = path.resolve().parent
    with _turn:
        own = _beside.setdefault(folder, {})
        for other, theirs in _beside.items():
            for name in theirs:
                if other != folder and _has(folder, name):
                    sys.modules.pop(name, None)
        sys.modules.update(own)
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        try:
            yield own
        finally:
            sys.path.remove(str(folder))
            own.update({name: module for name, module in list(sys.modules.items()) if _lies_in(module, folder)})


def said_of(error: BaseException, folder: Path) -> str:
    """An error in a user's code: its kind, what it says, and the last line in a folder's files on the way to it."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{type(error).__name__}: {error.msg} ({Path(error.filename).name}, line {error.lineno})."
    inside = folder.resolve()
    frames = [
        one for one in traceback.extract_tb(error.__traceback__) if inside in Path(one.filename).resolve().parents
    ]
    at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {first_line(error)}{at}."


def _name(path: Path) -> str:
    regular(path, FormatError, "Give that of a Python file and a function in it, PATH.py:FUNCTION.")
    try:
        content = path.read_bytes()
    except OSError as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise FormatError(f"{path}: {what}. Want a Python file and a function in it, PATH.py:FUNCTION.") from None
    return f"{path.stem}_{hashlib.sha1(content).hexdigest()[:12]}"


def _has(folder: Path, name: str) -> bool:
    """Whether a module, or the package that it lies in, has a namesake in a folder."""
    first = folder / name.partition(".")[0]
    return first.is_dir() or first.with_suffix(".py").is_file()


def _lies_in(module: ModuleType, folder: Path) -> bool:
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    return isinstance(file, str) and folder in Path(file).parents and "site-packages" not in file
