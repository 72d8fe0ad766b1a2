"""What `predicdiff --version` says: engines and packages with their versions, none of which is imported for that."""

from __future__ import annotations

import platform
import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np

from .._version import __version__
from ..extras import version_of
from .console import say

#: Packages that the extras bring, torch apart.
OPTIONAL = (
    "torchvision", "timm", "transformers", "onnx", "onnx2torch", "onnxruntime", "safetensors", "pydicom", "pillow-heif",
    "distributed", "pyarrow",
)  # fmt: skip
ABSENT = "not installed"


def show(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    """Print it and end, if it was asked for."""
    if asked and not context.resilient_parsing:
        say(*told())
        context.exit()


def told() -> list[str]:
    """A line each for this program, Python with numpy, the engines, and further packages."""
    versions = {name: version_of(name) for name in OPTIONAL}
    there = [f"{name} {version}" for name, version in versions.items() if version is not None]
    absent = [name for name, version in versions.items() if version is None]
    return [
        f"predicdiff {__version__}",
        f"Python {platform.python_version()}, numpy {np.__version__}",
        f"torch: {_torch()}",
        f"pycaffe: {_caffe()}",
        f"further packages: {', '.join(there) or 'none'}",
        *([f"{ABSENT}: {', '.join(absent)}"] if absent else []),
    ]


def _torch() -> str:
    version, folder = version_of("torch"), _folder("torch")
    if version is None or folder is None:
        return f'{ABSENT} (pip install "predicdiff[torch]")'
    try:
        built: dict[str, Any] = runpy.run_path(str(folder / "version.py"))
    except (OSError, SyntaxError):
        return version
    kinds = {"CUDA": built.get("cuda"), "ROCm": built.get("hip")}
    gpus = [f"{kind} {number}" for kind, number in kinds.items() if number]
    return f"{version}, {'built for ' + gpus[0] if gpus else 'without CUDA'}"


def _caffe() -> str:
    folder = _folder("caffe")
    return ABSENT if folder is None else str(folder)


def _folder(package: str) -> Path | None:
    """Where a package lies that can be imported, without importing it."""
    spec = find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent
