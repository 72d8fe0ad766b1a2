"""The door for modules that a function of a user's makes: ``net.py:make``, or ``package.module:make``."""

from __future__ import annotations

import importlib
import os
import re
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ....errors import FormatError, SettingsError
from ....protocols import Net
from ...base import BlobNet
from ...doors import Door, NetSettings
from ..door import refuse_caffe
from .brought import Brought
from .user_files import defined, folder_of, imported_file, said_of

FILE = re.compile(r"(?P<file>.*\.py)(?::(?P<function>[^:/\\]*))?", re.DOTALL)
MODULE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.\w+)+):(?P<function>\w+)")


def takes(source: Any) -> bool:
    """Whether it is a Python file, with a function's name behind it or not; or a function of a module with a dot."""
    text = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    return isinstance(text, str) and any(form.fullmatch(text) for form in (FILE, MODULE))


def load(source: Any, settings: NetSettings) -> Net:
    """The net of the module that a function returns, or the net that it returns itself.

    The code of the function and of its file is run.
    """
    text = os.fspath(source)
    refuse_caffe(settings.engine, text)
    of_file = FILE.fullmatch(text)
    if of_file is None:
        named = cast("re.Match[str]", MODULE.fullmatch(text))
        return _net(_made(_imported(named["module"]), named["function"], text, None), text, text, settings)
    path, function = Path(of_file["file"]), of_file["function"] or ""
    file = imported_file(path)
    net = _net(_made(file, function, str(path), path), text, f"{path.stem}:{function}", settings)
    from .file_net import at_home

    return at_home(net, path, file.__name__)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever a user's module does
        raise FormatError(
            f"{name} cannot be imported ({type(error).__name__}: {error}): want a module that is installed, or a file, "
            "PATH.py:FUNCTION."
        ) from error


def _made(module: ModuleType, function: str, where: str, file: Path | None) -> Any:
    """What a function returns, called without arguments; or what its name stands for, if that is a module of torch."""
    import torch

    if function not in vars(module):
        names = defined(module)
        has = f"it has {', '.join(names)}" if names else "it defines none"
        what = f"has no {function!r}" if function else "of which function is not said"
        raise SettingsError(f"{where}: {what}: want the name of a function that makes the net, {where}:NAME; {has}.")
    value = vars(module)[function]
    if isinstance(value, torch.nn.Module) or not callable(value):
        return value
    try:
        with nullcontext() if file is None else folder_of(file):
            return value()
    except (Exception, SystemExit) as error:  # whatever a user's function does
        folder = Path(str(vars(module).get("__file__"))).parent
        raise SettingsError(
            f"{where}: {function}(), which is called without arguments, ends in an error: {said_of(error, folder)}"
        ) from error


def _net(made: Any, where: str, name: str, settings: NetSettings) -> Net:
    import torch

    if isinstance(made, BlobNet):
        given = [one.name for one in fields(settings) if getattr(settings, one.name) != one.default]
        given = ["preprocessing" if name == "altered" else name for name in given]
        if given:
            raise SettingsError(
                f"{where} makes a net that says all of itself, so {', '.join(given)} can't be said besides: want a "
                "function that returns the module alone, or no such settings."
            )
        return cast(Net, made)
    if not isinstance(made, torch.nn.Module):
        raise SettingsError(
            f"{where} gives a {type(made).__name__}: want a torch.nn.Module, or a net as predicdiff.load_net makes it."
        )
    if settings.input_shape is None:
        raise SettingsError(
            f"{where} makes a module, which does not say what it takes: give --input-shape CHANNELS,HEIGHT,WIDTH, such "
            "as 3,224,224 (input_shape=)."
        )
    if settings.weights is not None:
        from ..weight_files import load_state

        load_state(made, settings.weights)
    return Brought(made, name, settings.input_shape).net(settings)


DOOR = Door(takes, load)
