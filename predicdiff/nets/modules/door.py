"""The door for torch modules, and the architectures that the manifest names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, cast

from ...errors import SettingsError
from ...protocols import OUTPUT_KINDS, Net
from ..doors import Door, NetSettings


def takes(source: Any) -> bool:
    """Whether it is a module."""
    torch = sys.modules.get("torch")  # who has a module has imported torch
    return torch is not None and isinstance(source, torch.nn.Module)


def load(module: Any, settings: NetSettings) -> Net:
    """A module as a net."""
    from .net import ModuleNet

    refuse_caffe(settings.engine, type(module).__name__)
    if settings.weights is not None:
        raise SettingsError("a module brings its weights along: load them into it, and leave `weights` out.")
    if settings.input_shape is None:
        raise SettingsError("a module does not say what it takes: give input_shape=(channels, height, width).")
    shape = cast("tuple[int, int, int]", settings.input_shape)  # ModuleNet looks at it
    net = ModuleNet(module, input_shape=shape, output=_kind(settings), **settings.of_any_net, **settings.of_module)
    if settings.preprocessing is not None:
        settings.preprocessing.check_mean_image(net.input_shape)
    return net


def _kind(settings: NetSettings) -> str:
    """What a module returns, which of modules ``output`` says too."""
    said = [kind for kind in (settings.output, settings.output_is) if kind is not None]
    if len(set(said)) > 1:
        raise SettingsError(f"output={said[0]!r} and output_is={said[1]!r} both say what a module returns: want one.")
    return said[0] if said else OUTPUT_KINDS[0]


def refuse_caffe(engine: str, name: str) -> None:
    """Refuse to run a module by Caffe."""
    if engine != "torch":
        raise SettingsError(
            f"{name} is a torch module, which Caffe can't run: want the engine torch, or a Caffe net (--net googlenet)."
        )


def _efficientnet_lite0(path: Path, device: str | None) -> Any:
    from ..engine.device import choose_device
    from . import efficientnet_lite

    return efficientnet_lite.load(path).to(choose_device(device))


#: Architectures that the manifest names, each a function from the weights' path and a device, by default a GPU if there
#: is one, to a module there.
ARCHITECTURES: dict[str, Callable[[Path, str | None], Any]] = {"efficientnet_lite0": _efficientnet_lite0}
DOOR = Door(takes, load)
