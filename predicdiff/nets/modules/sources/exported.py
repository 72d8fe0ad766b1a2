"""The door for programs that `torch.export.save` wrote; and a word for files that hold no net, or TorchScript."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from ....errors import SettingsError
from ....protocols import Net
from ...doors import Door, NetSettings
from ..door import refuse_caffe
from .brought import Brought

#: Files that are often taken for nets: of weights alone, of whole pickled modules, or TorchScript.
WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors", ".torchscript")


def takes(source: Any) -> bool:
    """Whether it is a path that ends as those of exported programs do, or of torch's other files."""
    return isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() in (".pt2", *WEIGHTS)


def load(source: str | Path, settings: NetSettings) -> Net:
    """The net of an exported program, each batch of which is computed wholly.

    Torch reads some parts of such files as pickles, which may hold any code: only a file that is trusted should be
    loaded.
    """
    path = Path(source)
    refuse_caffe(settings.engine, path.name)
    if path.suffix.lower() in WEIGHTS:
        raise SettingsError(_no_net(path))
    if settings.weights is not None:
        raise SettingsError(f"{path} holds its weights itself: leave weights (--weights) out.")
    from ...engine.device import choose_device
    from .exported_module import Exported

    module = Exported(path, choose_device(settings.device))
    if len(module.example) != 4:
        raise SettingsError(f"{path}: its first input has the shape {module.example}: want images (N, C, H, W).")
    return Brought(module, path.stem, module.example[1:]).net(settings)


def _no_net(path: Path) -> str:
    """What is said of a file that holds something else than a net that can be run."""
    if path.is_file() and zipfile.is_zipfile(path) and _has_code(path):
        return (
            f"{path} is TorchScript, which is not taken: want the module that it was made from (net.py:FUNCTION), or "
            "an export of it (torch.export.save to a .pt2, or ONNX)."
        )
    return (
        f"{path} holds weights, but not what is computed with them: want the Python file and function that make the "
        f"module too, net.py:FUNCTION with weights {path.name} (--net net.py:FUNCTION --weights {path.name})."
    )


def _has_code(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


DOOR = Door(takes, load)
