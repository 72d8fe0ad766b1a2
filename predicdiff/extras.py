"""Optional packages: imported where they are used, and one sentence where they are absent or too old."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from .errors import DependencyError, first_line


def imported(module: str, extra: str, least: str = "0") -> Any:
    """A module of an optional package; what the package warns of while it is imported is not said.

    Parameters
    ----------
    module : str
        With dots where it lies deeper; its first part is what the package is called.
    extra : str
        Of predicdiff, which brings the package along.
    least : str
        The first version that serves.

    Raises
    ------
    DependencyError
        If the package is not installed, is too old, or does not go with what else is installed.
    """
    package, mend = module.partition(".")[0], f'pip install "predicdiff[{extra}]".'
    try:
        found = _quietly(module)
    except Exception as error:  # such as RuntimeError, of a torchvision that was built for another torch
        if absent(package):
            raise DependencyError(f"{package} is not installed ({error}): {mend}") from error
        raise DependencyError(
            f"{unfit(package, error)}: it may not go with the torch that is here, so install both anew, {mend}"
        ) from error
    version = None if least == "0" else version_of(package)
    if version is not None and _numbers(version) < _numbers(least):
        raise DependencyError(f"{package} {version} is too old, want {least} at least: {mend}")
    return found


def absent(package: str) -> bool:
    """Whether a package is not installed; one that is may fail to be imported, as where memory is limited."""
    if package in sys.modules:
        return sys.modules[package] is None  # what forbids an import
    return find_spec(package) is None


def unfit(package: str, error: BaseException) -> str:
    """What is wrong with an installed package that cannot be imported."""
    return f"{package} is installed and cannot be imported ({first_line(error).rstrip('.')})"


def _quietly(module: str) -> Any:
    if module in sys.modules:  # filters of warnings are those of all threads, of which some may be evaluating
        return importlib.import_module(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def version_of(package: str) -> str | None:
    """The version of an installed package; None if it does not say one."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> list[int]:
    """The two or three numbers that a version begins with, which are compared."""
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
