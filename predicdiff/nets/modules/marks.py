"""What tells values and functions from others, in this process and in later ones."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

#: Told apart by what Python writes of them.
PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes, torch.dtype, torch.device)
#: What a dataclass writes itself; it follows from its fields.
WRITTEN = ("__init__", "__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__", "__setattr__",
           "__delattr__", "__replace__")  # fmt: skip
#: Where libraries lie whose functions and classes are known by their names and version: these, and Python's own.
LIBRARIES = (*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
             str(Path(__file__).parents[2]))  # fmt: skip


def mark(value: Any, untold: str) -> str:
    """A text that is the same for what is the same, and differs otherwise; ``untold`` where that can't be said.

    Functions are told apart by their code, defaults, and the values of closures and globals that they name; classes by
    their functions and other attributes; tensors and arrays by their bytes; objects by their class and by what they
    are pickled as. Functions and classes of installed libraries are those of a name and a version. Whatever can't be
    pickled, such as a lock or an open file, or holds such a thing, is not to be told apart.

    Parameters
    ----------
    value : object
    untold : str
        A text that nobody else has, so that what goes by it is never taken for something else.
    """
    try:
        return _Marks().of(value)
    except Exception:  # whatever a stranger's object has against being looked at
        return untold


class _Marks:
    """The marks of values within one: each is looked at once, though they may hold each other."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._held: list[Any] = []  # lest an identity passes to another

    def of(self, value: Any) -> str:
        """A value's mark."""
        if type(value) in PLAIN:
            return f"{type(value).__name__} {value!r}"
        if id(value) not in self._known:
            self._known[id(value)] = f"the {len(self._held)}th"  # to whoever asks while it is looked at
            self._held.append(value)
            told = hashlib.sha1(repr((type(value).__qualname__, *self._told(value))).encode())
            self._known[id(value)] = told.hexdigest()
        return self._known[id(value)]

    def _told(self, value: Any) -> Iterator[Any]:
        """What tells a value from others of its class, in texts."""
        if isinstance(value, Tensor):
            yield of_tensor(value)
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            yield from (value.dtype.str, value.shape, hashlib.sha1(value.tobytes()).hexdigest())
        elif type(value) in (tuple, list):
            yield from map(self.of, value)
        elif type(value) in (set, frozenset):
            yield from sorted(map(self.of, value))
        elif type(value) is dict:
            yield from ((self.of(key), self.of(held)) for key, held in value.items())
        elif isinstance(value, ModuleType):
            yield _named(value.__name__, "")
        elif isinstance(value, CodeType):
            yield from self._code(value)
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, BuiltinFunctionType):
            owner = value.__self__
            yield from (value.__module__, value.__qualname__, self.of(None if inspect.ismodule(owner) else owner))
        elif isinstance(value, type):
            yield from self._class(value)
        else:
            yield from self._object(value)

    def _object(self, value: Any) -> Iterator[Any]:
        """An object's class, and what it is pickled as."""
        yield self.of(type(value))
        reduced = value.__reduce_ex__(4)
        if isinstance(reduced, str):  # a global's name; what a decorator keeps beside it tells more
            yield from (reduced, self.of(vars(value)))
            return
        for part in reduced:
            yield self.of(list(part) if isinstance(part, Iterator) else part)

    def _function(self, function: FunctionType) -> Iterator[Any]:
        yield from (function.__module__, function.__qualname__)
        yield from (self.of(cell.cell_contents) for cell in function.__closure__ or ())
        if _is_library(function.__code__.co_filename):
            yield _named(function.__module__, function.__qualname__)
            return
        yield from map(self.of, (function.__code__, function.__defaults__, function.__kwdefaults__, vars(function)))
        yield from self._reached(function.__globals__, frozenset(_names(function.__code__)))

    def _code(self, code: CodeType) -> Iterator[Any]:
        yield from (code.co_code.hex(), code.co_names, code.co_varnames, code.co_flags)
        yield from (code.co_argcount, code.co_kwonlyargcount)
        if sys.version_info >= (3, 11):
            yield code.co_exceptiontable.hex()
        yield from map(self.of, code.co_consts)

    def _reached(
        self, names: dict[str, Any], asked: frozenset[str], modules: tuple[ModuleType, ...] = ()
    ) -> Iterator[Any]:
        """Those of the globals that are asked for, of modules that are no libraries what is asked for of them."""
        for name in sorted(asked & set(names)):
            value = names[name]
            yield (name, self.of(value))
            if isinstance(value, ModuleType) and not _is_library(_file(value)) and value not in modules:
                yield from self._reached(vars(value), asked, (*modules, value))

    def _class(self, kind: type) -> Iterator[Any]:
        yield _named(kind.__module__, kind.__qualname__)
        home = sys.modules.get(kind.__module__)
        if kind.__module__ in sys.builtin_module_names or (home is not None and _is_library(_file(home))):
            return
        yield from map(self.of, kind.__bases__)
        for name, held in vars(kind).items():
            function = _unwrapped(held)
            own = isinstance(function, FunctionType) and not (name in WRITTEN and dataclasses.is_dataclass(kind))
            if own or not (name.startswith("__") or inspect.ismemberdescriptor(held) or name.startswith("_abc_")):
                yield from (name, self.of(function))


def of_tensor(value: Tensor) -> str:
    """A tensor's type of numbers, its shape and a digest of its bytes."""
    raw = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy()
    return f"{value.dtype} {tuple(value.shape)} {hashlib.sha1(raw.tobytes()).hexdigest()}"


def _unwrapped(held: Any) -> Any:
    """The function, or functions, of a class's attribute."""
    if isinstance(held, (staticmethod, classmethod)):
        return held.__func__
    if isinstance(held, functools.cached_property):
        return held.func
    return (held.fget, held.fset, held.fdel) if isinstance(held, property) else held


def _names(code: CodeType) -> Iterator[str]:
    """Names that code, and code within it, takes from outside."""
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)


def _file(module: ModuleType) -> str:
    return vars(module).get("__file__") or ""


def _is_library(file: str) -> bool:
    return file.startswith(tuple(f"{folder}/" for folder in LIBRARIES)) or file.startswith("<frozen")


def _named(module: str, name: str) -> tuple[str, str, str]:
    """A name in a library, and the library's version."""
    top = sys.modules.get(module.partition(".")[0])
    return module, name, str(None if top is None else vars(top).get("__version__"))
