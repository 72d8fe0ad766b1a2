"""With which versions a process computes, on which the bits of a result depend; and whether another has the same."""

from __future__ import annotations

import sys
from typing import Mapping

from .._version import __version__
from ..errors import DependencyError
from ..extras import version_of

#: Packages that compute, besides predicdiff itself.
COMPUTING = ("numpy", "torch")


def versions() -> dict[str, str]:
    """Versions by name; of what is not installed there is none. A wheel's build, such as +cpu, is left out."""
    found = {name: version_of(name) for name in COMPUTING}
    others = {name: version.partition("+")[0] for name, version in found.items() if version is not None}
    return {"predicdiff": __version__, "Python": "{}.{}".format(*sys.version_info[:2]), **others}


def check_versions(wanted: Mapping[str, str], worker: str) -> None:
    """Refuse to compute in this process for another that has other ``versions``.

    Parameters
    ----------
    wanted : dict of str
        Versions of the process that asks.
    worker : str
        What this one is called.

    Raises
    ------
    DependencyError
    """
    here = versions()
    for name, version in wanted.items():
        if here.get(name) != version:
            found = f"{name} {here[name]}" if name in here else f"no {name}"
            raise DependencyError(
                f"the worker {worker} has {found}, want {name} {version} as here, since maps would differ: install the "
                "same versions there, or end that worker."
            )
