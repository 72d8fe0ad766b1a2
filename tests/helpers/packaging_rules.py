"""What pyproject.toml asks for, to hold the container and the conda environment against."""

from __future__ import annotations

import sys
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from helpers.places import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def project() -> dict[str, Any]:
    """The table ``project``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pythons() -> SpecifierSet:
    """The supported Pythons."""
    return SpecifierSet(project()["requires-python"])


def required(python: str) -> dict[str, SpecifierSet]:
    """Versions that a Python needs, by the package's name."""
    needs = [Requirement(line) for line in project()["dependencies"]]
    return {
        need.name: need.specifier
        for need in needs
        if need.marker is None or need.marker.evaluate({"python_version": python})
    }
